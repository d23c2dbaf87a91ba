"""The local stack as its operator meets it: `oa up --detach`, `status`, `down`, `reset`."""

import asyncio
import os
import signal
import socket
import stat
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

from ops import smoke
from ops.fresh import path_without
from ops.stack import pids, secrets
from tests import local_stack
from tests.local_stack import OURS, SERVICES, Operator
from tests.relayed import topic_contents
from tests.services import run, until


async def count_migrations(dsn: str) -> int:
    connection = await asyncpg.connect(dsn)
    try:
        return int(await connection.fetchval("select count(*) from migrations"))
    finally:
        await connection.close()


@pytest.fixture
def operator() -> Iterator[Operator]:
    with local_stack.operator() as somebody:
        yield somebody


def test_a_stack_comes_up_restarts_what_dies_and_goes_down(operator: Operator) -> None:
    up = operator.up()
    assert up.returncode == 0, up.stdout + up.stderr
    assert f"ready: http://127.0.0.1:{operator.port}" in up.stdout
    processes = operator.status()
    assert set(processes) == SERVICES | OURS
    assert all(process["ready"] and process["pid"] for process in processes.values())
    assert all(processes[name]["lag_positions"] == 0 for name in OURS)

    assert operator.oa("audit", "--all").returncode == 0
    until(lambda: operator.told()["audit"] == {"position": 0, "differences": 0})
    assert "agree" in operator.oa("status").stdout

    path = operator.data / secrets.FILE_NAME
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert run(count_migrations(secrets.read(operator.data)["OA_DATABASE_URL"])) > 0

    os.kill(processes["edge"]["pid"], signal.SIGKILL)
    until(lambda: operator.status()["edge"]["pid"] not in (None, processes["edge"]["pid"]))
    until(lambda: operator.status()["edge"]["ready"])

    again = operator.up()
    assert again.returncode == 0
    assert f"ready: http://127.0.0.1:{operator.port}" in again.stdout
    other = operator.oa("up", "--each", "2", "--worker", "--detach")
    assert other.returncode == 1
    assert "already, without --each 2 --worker: end it first" in other.stderr

    started = operator.state().pids
    assert len(pids.alive(started)) == len(SERVICES | OURS)
    assert operator.oa("down").returncode == 0
    assert pids.alive(started) == []
    assert operator.oa("status").returncode == 1


def test_a_killed_supervisor_leaves_nothing_and_the_next_one_keeps_the_data_even_without_codex(
    operator: Operator,
) -> None:
    assert operator.up().returncode == 0
    first = operator.state()
    kept = secrets.read(operator.data)
    os.kill(first.supervisor.number, signal.SIGKILL)
    until(lambda: not pids.alive(first.pids))

    again = operator.up("--worker", OA_CODEX_BIN="/nowhere")
    assert again.returncode == 0, again.stdout + again.stderr
    assert "goes on without worker" in (operator.data / "stack.log").read_text()
    assert set(operator.status()) == SERVICES | OURS | {"stub-model"}
    assert secrets.read(operator.data) == kept

    assert operator.oa("reset").returncode == 0
    assert not operator.data.exists()


async def counts(operator: Operator) -> tuple[int, int]:
    """Events in the stack's log, records in its topic."""
    told = secrets.read(operator.data)
    connection = await asyncpg.connect(told["OA_DATABASE_URL"])
    try:
        events = int(await connection.fetchval("select count(*) from events"))
    finally:
        await connection.close()
    records = await topic_contents(told["OA_KAFKA_BOOTSTRAP"], "oa.workers")
    return events, sum(map(len, records.values()))


async def use(operator: Operator, times: int) -> None:
    for _ in range(times):
        await smoke.check(operator.state().address)


async def use_both(one: Operator, other: Operator) -> None:
    await asyncio.gather(use(one, times=1), use(other, times=2))


@pytest.mark.timeout(300)
def test_two_stacks_side_by_side_find_their_own_ports_and_know_nothing_of_each_other() -> None:
    with local_stack.operator() as one, local_stack.operator() as other:
        ups = [somebody.oa("up", "--detach") for somebody in (one, other)]
        assert [up.returncode for up in ups] == [0, 0], ups
        run(use_both(one, other))
        of_one, of_other = run(counts(one)), run(counts(other))
        assert of_one == (smoke.EVENTS + 1,) * 2
        assert of_other == (2 * (smoke.EVENTS + 1),) * 2

        address = one.state().address
        assert one.oa("down").returncode == 0
        run(use(other, times=1))
        assert one.oa("up", "--detach").returncode == 0
        assert one.state().address == address
        assert run(counts(one)) == of_one


def test_a_taken_port_is_named(operator: Operator) -> None:
    with socket.create_server(("127.0.0.1", operator.port + 3)):
        up = operator.up()
    assert up.returncode == 1
    assert f"port {operator.port + 3} (for Redis) is taken" in up.stderr
    assert "--port" in up.stderr


def test_no_java_and_no_way_to_fetch_one_is_told_together_with_what_to_do(operator: Operator, tmp_path: Path) -> None:
    path = path_without(["java"], os.environ["PATH"], tmp_path / "path")
    offline = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": ""}
    up = operator.up(PATH=path, JAVA_HOME="/nowhere", OA_CACHE_DIR=str(tmp_path / "cache"), **offline)
    assert up.returncode == 1
    assert "install a JDK" in up.stderr


@pytest.mark.slow
def test_without_java_and_maven_it_fetches_what_it_needs(operator: Operator, tmp_path: Path) -> None:
    path = path_without(["java", "mvn"], os.environ["PATH"], tmp_path / "path")
    up = operator.up(PATH=path, JAVA_HOME="", OA_CACHE_DIR=str(tmp_path / "cache"))
    assert up.returncode == 0, up.stdout + up.stderr
    broker = operator.status()["kafka"]["pid"]
    assert os.readlink(f"/proc/{broker}/exe").startswith(str(tmp_path / "cache"))


def test_nothing_runs_before_up(operator: Operator) -> None:
    assert operator.oa("down").returncode == 0
    answer = operator.oa("status")
    assert answer.returncode == 1
    assert "start it with `oa up`" in answer.stderr


def test_doctor_lists_every_setting_and_hides_secrets(operator: Operator) -> None:
    operator.data.mkdir()
    secrets.ensure(operator.data, {})
    key = secrets.read(operator.data)["OA_RUNTIME_SIGNING_KEY"]
    answer = operator.oa("doctor", "--settings")
    assert answer.returncode == 0
    assert "OA_RUNTIME_SIGNING_KEY" in answer.stdout
    assert key not in answer.stdout
