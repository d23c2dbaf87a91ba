"""The daemon with the real Codex on the stub model, against an edge in memory."""

import secrets
import signal
import string
import uuid
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from oa_client import Client
from oa_client.worker.legacy import repeats_a_modern_one

from ops.stub_model.app import build
from tests.codex_scenes import NEWEST, PINNED
from tests.desk import WORKER, Desk, at_a_desk, methods, running, until
from tests.fake_edge import TOKEN, FakeEdge, serving, serving_app
from tests.services import free_port

pytestmark = pytest.mark.skipif(not PINNED.launcher.exists(), reason="no Codex: run `make codex`")


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    async with at_a_desk(tmp_path) as desk:
        yield desk


async def test_a_message_makes_codex_run_a_command_and_its_output_is_mirrored_in_order(desk: Desk) -> None:
    nonce = "".join(secrets.choice(string.ascii_letters) for _ in range(16))
    (desk.folder / "nonce.txt").write_text(nonce)
    async with desk.daemon():
        asked = await desk.say("run: cat nonce.txt; echo secret=$OA_SECRET > seen.txt")
        [ended] = await desk.edge.recorded("turn/completed")
    turn = [event for event in desk.edge.events[asked : ended["seq"]] if "method" in event["payload"]]
    steps = [method for method in methods(desk.edge, asked) if method.startswith(("thread/started", "turn/", "item/"))]
    assert steps[0] == "thread/started"
    assert "turn/started" in steps  # a busy Codex may tell of the first item before it
    assert steps[-2:] == ["item/completed", "turn/completed"]
    items = [event["payload"]["params"]["item"] for event in turn if event["payload"]["method"] == "item/completed"]
    assert [item["type"] for item in items] == ["userMessage", "commandExecution", "agentMessage"]
    assert nonce in items[1]["aggregatedOutput"]
    assert nonce in items[2]["text"]
    assert (desk.folder / "seen.txt").read_text() == "secret=\n"
    assert {event["payload"]["source"] for event in turn} == {"autopilot-desktop"}
    assert not [method for method in methods(desk.edge, 0) if repeats_a_modern_one(method)]


@pytest.mark.skipif(not NEWEST.launcher.exists(), reason=f"no Codex {NEWEST.number}: run `make {NEWEST.target}`")
async def test_the_newest_version_is_steered_and_mirrored_alike(desk: Desk) -> None:
    (desk.folder / "answer.txt").write_text("forty-two")
    async with replace(desk, codex=NEWEST).daemon():
        asked = await desk.say("run: cat answer.txt")
        [ended] = await desk.edge.recorded("turn/completed")
    payloads = [event["payload"] for event in desk.edge.events[asked : ended["seq"]]]
    items = [one["params"]["item"] for one in payloads if one.get("method") == "item/completed"]
    assert [item["type"] for item in items] == ["userMessage", "commandExecution", "agentMessage"]
    assert "forty-two" in items[2]["text"]
    assert "thread/status/changed" in methods(desk.edge, asked)  # what 0.104 never says


async def test_messages_that_come_while_a_turn_runs_are_turns_after_it(desk: Desk) -> None:
    async with desk.daemon():
        for number in range(3):
            await desk.say(f"message {number}")
        await desk.edge.recorded("turn/completed", 3)
    said = [event["payload"]["params"]["item"] for event in await desk.edge.recorded("item/completed", 6)]
    texts = [item["content"][0]["text"] for item in said if item["type"] == "userMessage"]
    assert texts == ["message 0", "message 1", "message 2"]
    assert methods(desk.edge, 0).count("thread/started") == 1


async def test_each_handshake_is_acknowledged_once_with_its_very_id(desk: Desk) -> None:
    handshake_ids = [f"{uuid.uuid4()}-{number}" for number in range(20)]
    async with desk.daemon():
        for handshake_id in [*handshake_ids, *handshake_ids]:
            await desk.post(
                "ios/handshake", handshake_id=handshake_id, device_id="d", occurred_at="2026-02-25T06:13:20Z"
            )
        await desk.post("ios/handshake", handshake_id="last", device_id="d", occurred_at="2026-02-25T06:13:20Z")
        acks = await desk.edge.recorded("desktop/handshake_ack", 21)
    assert [ack["payload"]["handshake_id"] for ack in acks] == [*handshake_ids, "last"]
    assert all(ack["payload"]["desktop_session_id"] and ack["payload"]["occurred_at"] for ack in acks)


async def test_an_edge_that_goes_away_and_comes_back_loses_and_repeats_nothing(tmp_path: Path) -> None:
    edge, port = FakeEdge(), free_port()
    async with serving_app(build(), free_port()) as stub:
        desk = Desk(edge, port, f"{stub}/v1", tmp_path, PINNED)
        async with serving(edge, port):
            daemon = desk.daemon()
            process = await daemon.__aenter__()
            await desk.say("run: for n in 1 2 3; do echo $n; sleep 0.3; done; touch done")
            await edge.recorded("turn/started")
        await until((tmp_path / "done").exists)
        async with serving(edge, port):
            await edge.recorded("turn/completed")
            await desk.say("hello again")
            await edge.recorded("turn/completed", 2)
            process.send_signal(signal.SIGTERM)
            assert await process.wait() == 0
            await daemon.__aexit__(None, None, None)
    numbers = [
        int(n) for identity, _, n in (event_id.rpartition(":") for event_id in edge.event_ids) if ":" not in identity
    ]
    assert numbers == list(range(1, len(numbers) + 1))
    spent = [event for event in edge.events if event["eventType"] == "worker.turn.usage"]
    assert len(spent) == 2
    assert len(numbers) == len(methods(edge, 0)) - 2 + len(spent)  # without what people said


async def test_with_approve_all_codex_asks_and_is_told_yes(desk: Desk) -> None:
    async with desk.daemon("--approve", "all"):
        asked = await desk.say("run: touch approved.txt")
        [ended] = await desk.edge.recorded("turn/completed")
    [request] = await desk.edge.recorded("item/commandExecution/requestApproval")
    assert request["eventType"] == "worker.request.received"
    assert asked < request["seq"] < ended["seq"]
    assert (desk.folder / "approved.txt").exists()


async def test_outside_its_sandbox_codex_writes_nothing(desk: Desk) -> None:
    async with desk.daemon("--sandbox", "read-only"):
        await desk.say("run: touch written.txt")
        await desk.edge.recorded("turn/completed")
    assert not (desk.folder / "written.txt").exists()


async def test_sigterm_ends_codex_and_its_commands_and_leaves_the_worker_running(desk: Desk) -> None:
    marker = f"3{secrets.randbelow(10**6):06}"
    async with desk.daemon() as process:
        await desk.say(f"run: sleep {marker}")
        await until(lambda: running(f"sleep {marker}"))
        process.send_signal(signal.SIGTERM)
        assert await process.wait() == 0
    assert desk.edge.status == "running"
    last = desk.edge.events[-1]
    assert (last["eventType"], last["payload"]["daemon"]) == ("worker.heartbeat", "off")
    assert last["payload"]["consumed_seq"] > 0
    [ended] = await desk.edge.recorded("turn/completed")
    assert ended["payload"]["params"]["turn"]["status"] == "interrupted"
    await until(lambda: not running(f"sleep {marker}"))


async def test_a_killed_daemon_takes_codex_and_its_commands_with_it(desk: Desk) -> None:
    marker = f"3{secrets.randbelow(10**6):06}"
    async with desk.daemon() as process:
        await desk.say(f"run: sleep {marker}")
        await until(lambda: running(f"sleep {marker}"))
        [codex] = running("app-server", parent=process.pid)
        process.kill()
        await process.wait()
    await until(lambda: codex not in running("app-server"))
    await until(lambda: not running(f"sleep {marker}"))


async def test_a_worker_that_somebody_stops_ends_its_daemon_and_a_new_one_reattaches(desk: Desk) -> None:
    async with desk.daemon() as process, Client(f"http://127.0.0.1:{desk.port}", TOKEN) as phone:
        await phone.stop_worker(WORKER, "enough")
        assert await process.wait() == 0
        assert desk.edge.events[-1]["payload"] == {"reason": "enough"}
        async with desk.daemon():
            await desk.say("hello")
            await desk.edge.recorded("turn/completed")
    assert [event["eventType"] for event in desk.edge.events].count("worker.stopped") == 1
