"""Daemons that are killed, sent away, doubled and robbed of their disk run each thing once, with the real Codex."""

import asyncio
import os
import signal
from asyncio.subprocess import Process
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from oa_client import Client

from tests.codex_scenes import PINNED, VERSIONS, Version
from tests.desk import WORKER, Desk, at_a_desk, methods, running, until
from tests.dying_daemon import DIED
from tests.fake_edge import TOKEN

AT_ONCE = 2


def needs(version: Version) -> pytest.MarkDecorator:
    reason = f"no Codex {version.number}: run `make {version.target}`"
    return pytest.mark.skipif(not version.launcher.exists(), reason=reason)


EACH_VERSION = [pytest.param(version, marks=needs(version), id=version.number) for version in VERSIONS]
pytestmark = needs(PINNED)


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    async with at_a_desk(tmp_path) as desk:
        yield desk


async def turns(desk: Desk, count: int) -> None:
    await desk.edge.recorded("turn/completed", count)


@pytest.mark.slow
@pytest.mark.parametrize("codex", EACH_VERSION)
async def test_a_daemon_that_dies_at_any_of_its_marks_runs_each_message_once(codex: Version, tmp_path: Path) -> None:
    room = asyncio.Semaphore(AT_ONCE)

    async def run(at: int, when: str) -> int:
        folder = tmp_path / f"{at}-{when}"
        folder.mkdir()
        async with room, at_a_desk(folder, codex) as desk:
            return await once_though_it_dies(desk, at, when)

    points = [(at, when) for at in range(1, 7) for when in ("before", "after")]
    async with asyncio.TaskGroup() as tasks:
        runs = [tasks.create_task(run(*point)) for point in points]
    ends = [done.result() for done in runs]
    assert ends.count(DIED) >= 10, "it has five durable writes: cursor, claim, claimed, starting, started"


async def once_though_it_dies(desk: Desk, at: int, when: str) -> int:
    """How the first daemon ended, if it did."""
    async with Client(f"http://127.0.0.1:{desk.port}", TOKEN) as client:
        await client.create_worker(WORKER, adapter="desktop_bridge")
    async with desk.started(["-m", "tests.dying_daemon", str(at), when]) as process:
        await until(lambda: "is running at event" in desk.log or process.returncode is not None)
        await desk.say("run: echo done >> file.txt")
        await until(lambda: process.returncode is not None or "turn/completed" in methods(desk.edge, 0))
        await killed(process)
    async with desk.daemon():
        await desk.say("run: echo next >> file.txt")
        await until(lambda: "run: echo next >> file.txt" in desk.said())
        await until(lambda: "next" in written(desk))
    broken_off = "worker/turn_lost" in methods(desk.edge, 0)
    first_daemon_died_before_it_read = at == 1 and when == "before"  # where to begin was not yet kept
    assert written(desk) in (
        [["next"], ["done", "next"]] if broken_off or first_daemon_died_before_it_read else [["done", "next"]]
    )
    assert desk.said().count("run: echo done >> file.txt") <= 1
    assert process.returncode is not None
    return process.returncode


def written(desk: Desk) -> list[str]:
    file = desk.folder / "file.txt"
    return file.read_text().split() if file.exists() else []


async def killed(process: Process) -> None:
    if process.returncode is None:
        process.kill()
    await process.wait()


async def test_what_is_sent_while_no_daemon_is_there_runs_in_order_in_the_same_thread(desk: Desk) -> None:
    async with desk.daemon() as process:
        await desk.say("message 0")
        await turns(desk, 1)
        process.send_signal(signal.SIGTERM)
        assert await process.wait() == 0
    for number in (1, 2, 3):
        await desk.say(f"message {number}")
    async with desk.daemon():
        await turns(desk, 4)
    assert desk.said() == [f"message {number}" for number in range(4)]
    assert threads(desk) == 1


async def test_a_daemon_without_its_disk_runs_what_is_new_and_nothing_again(desk: Desk) -> None:
    async with desk.daemon() as process:
        await desk.say("message 0")
        await turns(desk, 1)
        await until(lambda: desk.edge.daemon["consumed_seq"] > 2)  # a heartbeat told it
        await killed(process)
    for file in desk.state.iterdir():
        file.unlink()
    await desk.say("message 1")
    async with desk.daemon():
        await turns(desk, 2)
    assert desk.said() == ["message 0", "message 1"]


async def test_a_daemon_with_a_broken_disk_says_so_and_goes_on(desk: Desk) -> None:
    async with desk.daemon() as process:
        await desk.say("message 0")
        await turns(desk, 1)
        await killed(process)
    for file in desk.state.glob("*.sqlite*"):
        file.write_bytes(b"x" * 40_000)
    async with desk.daemon():
        await desk.say("message 1")
        await turns(desk, 2)
    assert "starts without it" in desk.log
    assert desk.said() == ["message 0", "message 1"]


@pytest.mark.parametrize("codex", EACH_VERSION)
async def test_a_codex_that_is_killed_in_a_turn_is_told_of_and_the_next_one_goes_on_in_its_thread(
    codex: Version, tmp_path: Path
) -> None:
    async with at_a_desk(tmp_path, codex) as desk, desk.daemon() as process:
        await desk.say("message 0")
        await turns(desk, 1)
        await desk.say("run: sleep 71.5")
        await until(lambda: running("sleep 71.5"))
        await desk.say("message 2")
        os.kill(running("app-server", parent=process.pid)[0], signal.SIGKILL)
        [told] = await desk.edge.recorded("codex/exited")
        await turns(desk, 2)
        [lost] = await desk.edge.recorded("worker/turn_lost")
    assert (told["eventType"], told["payload"]["params"]["status"]) == ("worker.error", -signal.SIGKILL)
    assert lost["payload"]["params"]["message_id"]
    assert desk.said() == ["message 0", "run: sleep 71.5", "message 2"]
    assert threads(desk) == 1


async def test_a_codex_that_crashes_again_and_again_ends_the_daemon(desk: Desk) -> None:
    broken = desk.folder / "broken"
    broken.write_text("#!/bin/sh\nexit 3\n")
    broken.chmod(0o755)
    options = ("--codex-bin", str(broken), "--sandbox", "workspace-write")
    async with desk.started(["-c", "from oa_client.cli import main; main()"], *options) as process:
        assert await process.wait() == 1
    crashes = await desk.edge.recorded("codex/exited", 4)
    assert {crash["payload"]["params"]["status"] for crash in crashes} == {3}
    assert "status 3, 5 times in a row" in desk.log


async def test_of_two_daemons_with_one_id_one_runs_each_message(desk: Desk) -> None:
    async with desk.daemon(), desk.daemon("--state", str(desk.folder / "other")):
        for number in range(8):
            await desk.say(f"run: echo {number} >> file.txt")
        await turns(desk, 8)
    assert sorted(written(desk)) == [str(number) for number in range(8)]


async def test_one_state_folder_has_one_daemon(desk: Desk) -> None:
    async with desk.daemon(), desk.started(["-c", "from oa_client.cli import main; main()"]) as second:
        assert await second.wait() == 1
    assert "another daemon here serves this worker" in desk.log


async def test_a_revoked_token_is_one_clear_message_and_no_storm(desk: Desk) -> None:
    async with desk.daemon() as process:
        desk.edge.token = "another"
        await desk.edge.append("worker.event", {"method": "ios/handshake", "handshake_id": "h1"})
        assert await process.wait() == 1
    assert desk.log.count("Unauthenticated") == 1
    assert "oa login" in desk.log
    assert desk.edge.refused_calls < 10


async def test_a_cursor_that_the_edge_no_longer_serves_is_a_gap_that_is_told(desk: Desk) -> None:
    async with desk.daemon() as process:
        await killed(process)
    for number in range(3):
        await desk.say(f"lost {number}")
    desk.edge.floor = len(desk.edge.events)
    async with desk.daemon():
        [gap] = await desk.edge.recorded("worker/stream_gap")
        await desk.say("after the gap")
        await turns(desk, 1)
    assert gap["payload"]["params"]["to"] >= desk.edge.floor
    assert desk.said() == ["after the gap"]


async def test_heartbeats_tell_what_it_is_busy_with(desk: Desk) -> None:
    async with desk.daemon():
        await desk.say("run: sleep 1\n: more")
        await until(lambda: desk.edge.daemon["busy"])
        busy = desk.edge.daemon["busy"]
        await until(lambda: desk.edge.daemon["busy"] is None)
        [started] = await desk.edge.recorded("turn/started")
    assert busy["what"] == "run: sleep 1"
    assert busy["turn_id"] == started["payload"]["params"]["turn"]["id"]
    assert desk.edge.daemon["codex_version"] == PINNED.number


async def test_a_message_that_steers_is_part_of_the_turn_that_runs(desk: Desk) -> None:
    async with desk.daemon():
        await desk.say("run: sleep 6")
        await until(lambda: running("sleep 6"))
        params = {"text": "hello", "message_id": "steering", "mode": "steer"}
        await desk.post("ios/user_message", message_id="steering", params=params)
        await turns(desk, 1)
        await until(lambda: desk.said() == ["run: sleep 6", "hello"])
    assert methods(desk.edge, 0).count("turn/started") == 1


def threads(desk: Desk) -> int:
    started = [event["payload"] for event in desk.edge.events if event["payload"].get("method") == "turn/started"]
    return len({payload["params"]["threadId"] for payload in started})
