"""The peer of every append: pgbench with a one-statement event + outbox insert per transaction."""

import asyncio
import re
import subprocess
import tempfile

import asyncpg

from ops.bench.figures import Run, children_cpu_s, cpu_s
from ops.bench.writing import PAYLOAD
from ops.stack.postgres import Postgres
from schemas import canonical_json

CLIENTS = 32
RUN_S = 8
_TABLES = """
create table peer_events (id bigserial primary key, stream text, seq bigint, type text, payload json, at timestamptz);
create table peer_outbox (id bigserial primary key, event_id bigint, payload json);
"""
_SCRIPT = r"""
\set stream random(1, 1000000)
with e as (insert into peer_events (stream, seq, type, payload, at)
           values ('worker/' || :stream, 1, 'worker.event', '{payload}', now()) returning id, payload)
insert into peer_outbox (event_id, payload) select id, payload from e;
"""


async def prepare(server: Postgres) -> None:
    """Make the tables it writes."""
    connection = await asyncpg.connect(server.dsn())
    await connection.execute(_TABLES)
    await connection.close()


async def pgbench(server: Postgres, pid: int, clients: int = CLIENTS) -> Run:
    """So many clients, one transaction after the other each; `pid` is the server's."""
    with tempfile.NamedTemporaryFile("w", suffix=".sql") as script:
        script.write(_SCRIPT.replace("{payload}", canonical_json.encode(PAYLOAD).decode()))
        script.flush()
        command = [
            *(str(server.binaries / "pgbench"), "-n", "-f", script.name, "-c", str(clients), "-j", "1"),
            *("-M", "prepared", "-T", str(RUN_S), "-h", str(server.socket_folder), "-p", str(server.port)),
            *("-U", "oa", "oa"),
        ]
        before_s = cpu_s(pid) + children_cpu_s()
        answer = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, check=True)
        used_s = cpu_s(pid) + children_cpu_s() - before_s
    per_second = _number(answer.stdout, r"tps = ([\d.]+)")
    transactions = _number(answer.stdout, r"transactions actually processed: (\d+)")
    return Run(per_second, per_cpu_second=transactions / used_s)


def _number(text: str, pattern: str) -> float:
    found = re.search(pattern, text)
    assert found is not None, text
    return float(found[1])
