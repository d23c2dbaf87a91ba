"""Processes that write into one log at the same time, and whether the log is right afterwards."""

import asyncio
import time
from collections.abc import Sequence
from typing import Any, NamedTuple

import asyncpg
import uvloop

from ops.bench.processes import in_own_process
from ops.bench.writing import EVENT
from ops.database import open_pool
from producers.eventlog.commands import Item
from producers.eventlog.log import EventLog
from producers.workers import DECIDER, CreateWorker
from schemas.names import worker_stream

OWNER = "user:1"
_START_WITHIN_S = 6.0


class Share(NamedTuple):
    """One process: a client a stream, one command after another's answer, from a moment of the system's clock on."""

    dsn: str
    streams: Sequence[str]
    starts_at: float
    run_s: float


class Written(NamedTuple):
    """What was acknowledged: seqs by stream, and how long each one took."""

    seqs: dict[str, list[int]]
    latencies_ms: list[float]


async def written(dsn: str, shares: Sequence[Sequence[str]], run_s: float) -> list[Written]:
    """A process for each share of streams; shares may overlap."""
    starts_at = time.monotonic() + _START_WITHIN_S
    return await asyncio.gather(*(in_own_process(_write, Share(dsn, share, starts_at, run_s)) for share in shares))


async def create(pool: "asyncpg.Pool[Any]", prefix: str, count: int) -> list[str]:
    """New workers; their streams."""
    log = EventLog(pool)
    names = [f"{prefix}:{number}" for number in range(count)]
    streams = [worker_stream(OWNER, name) for name in names]
    for name, stream in zip(names, streams, strict=True):
        await log.execute(DECIDER, stream, OWNER, [Item(CreateWorker(name))])
    await log.close()
    return streams


def _write(share: Share) -> Written:
    """Entry point of a process."""
    return uvloop.run(_write_share(share))


async def _write_share(share: Share) -> Written:
    result = Written({stream: [] for stream in share.streams}, [])
    async with open_pool(share.dsn) as pool:
        log = EventLog(pool)
        if (early_s := share.starts_at - time.monotonic()) < 0:
            raise RuntimeError(f"a writer came {-early_s:.1f} s too late")
        await asyncio.sleep(early_s)
        await asyncio.gather(*(_client(log, stream, share, result) for stream in share.streams))
        await log.close()
    return result


async def _client(log: EventLog, stream: str, share: Share, result: Written) -> None:
    while (now := time.monotonic()) < share.starts_at + share.run_s:
        [outcome] = await log.execute(DECIDER, stream, OWNER, [EVENT])
        result.seqs[stream].append(outcome.seq)
        result.latencies_ms.append((time.monotonic() - now) * 1000)


async def check(pool: "asyncpg.Pool[Any]", results: Sequence[Written]) -> None:
    """Every command acknowledged once and kept, seqs and positions without a gap (DESIGN I1–I3)."""
    streams = {stream for result in results for stream in result.seqs}
    for stream in streams:
        acknowledged = sorted(seq for result in results for seq in result.seqs.get(stream, []))
        kept = [row["seq"] for row in await pool.fetch("select seq from events where stream = $1 order by 1", stream)]
        if kept != list(range(1, len(kept) + 1)) or acknowledged != kept[1:]:
            raise RuntimeError(f"{stream}: {len(acknowledged)} acknowledged, {len(kept) - 1} kept, or seqs with gaps")
    if await pool.fetchval("select count(*) <> max(position) - min(position) + 1 from events"):
        raise RuntimeError("positions with gaps")
