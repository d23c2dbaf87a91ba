"""`oa bench append-http`: durable events a second through the signed API of one edge, beside pgbench's inserts."""

import secrets
from typing import NamedTuple

import uvloop

from ops.bench.callers import Load, timed
from ops.bench.figures import Figure, Run, beside, show
from ops.bench.pgbench import pgbench, prepare
from ops.bench.processes import fresh_postgres, serving

CALLERS = 64
REQUESTS = 24_000
BATCHES = 1_500
EVENTS = 50
GOAL = 0.25
PACED_S = 8
ROUNDS = 3
UNIT = "events/s"


class Round(NamedTuple):
    """Single events, with latencies at half of the goal's rate; events in batches; the peer's inserts."""

    single: Run
    batched: Run
    peer: Run


def main(*, as_json: bool) -> None:
    show(uvloop.run(run()), as_json=as_json)


async def run() -> Figure:
    """One edge with authentication, nonces, validation, decision and commit; every request is a new token."""
    key = secrets.token_hex(32)
    async with fresh_postgres() as (server, pid):
        await prepare(server)
        settings = {"OA_DATABASE_URL": server.dsn(), "OA_RUNTIME_SIGNING_KEY": key, "OA_PROFILE": "local"}
        async with serving("edge", settings) as port:
            rounds = [
                await _round(Load(port, key, CALLERS, REQUESTS), await pgbench(server, pid)) for _ in range(ROUNDS)
            ]
    figure = beside("append-http", UNIT, [(one.single, one.peer) for one in rounds])
    figure.cases.append(beside(f"batches of {EVENTS}", UNIT, [(one.batched, one.peer) for one in rounds]))
    return figure


async def _round(load: Load, peer: Run) -> Round:
    rate = peer.per_second * GOAL / 2
    single = await timed(load)
    paced = await timed(load._replace(requests=int(rate * PACED_S), rate=rate))
    batched = await timed(load._replace(requests=BATCHES, events=EVENTS))
    ours = Run(REQUESTS / single.elapsed_s, paced.latencies_ms)
    return Round(ours, Run(BATCHES * EVENTS / batched.elapsed_s, batched.latencies_ms), peer)
