"""The Codex worker on the running stack: the real daemon, the real Codex, and a phone that steers (DEC-45 to 48)."""

import asyncio
import signal
import time
import uuid
from collections import Counter
from contextlib import AsyncExitStack
from pathlib import Path

import asyncpg
import pytest
from oa_client.client import Client
from oa_client.errors import Forbidden, NotFound
from oa_client.workers import WorkerEvent

from ops.bench.figures import percentile
from ops.bench.processes import served
from ops.stack import secrets as stack_secrets
from tests.codex_scenes import PINNED
from tests.conftest import Say
from tests.e2e.device import SignedIn
from tests.e2e.worker_desk import Desk, codex_of, ended, until
from tests.local_stack import Operator

pytestmark = [
    pytest.mark.skipif(not PINNED.launcher.exists(), reason=f"no Codex: run `make {PINNED.target}`"),
    pytest.mark.timeout(180),
]


def numbers(events: list[WorkerEvent]) -> list[int]:
    return [event.seq for event in events]


async def test_a_worker_is_registered_once_and_each_daemon_is_told_apart(unregistered: Desk) -> None:
    desk = unregistered
    with pytest.raises(NotFound):
        await desk.snapshot()
    async with desk.started() as first:
        await until(lambda: "is running at event" in desk.log)
        async with desk.followed():
            await desk.recorded("worker.heartbeat")
            fresh = await desk.snapshot()
            assert await ended(first, signal.SIGTERM) == 0
            away = await desk.snapshot()
            async with desk.daemon():
                back = await desk.snapshot()
    assert [told.status for told in (fresh, away, back)] == ["running"] * 3
    assert [told.daemon_state for told in (fresh, away, back)] == ["idle", "off", "idle"]
    assert fresh.adapter == "desktop_bridge"
    assert fresh.metadata["source"] == "autopilot-desktop"
    assert numbers(desk.of("worker.started")) == [1]
    sessions = [beat.payload["desktop_session_id"] for beat in desk.of("worker.heartbeat")]
    assert len(set(sessions)) == 2


async def test_a_snapshot_tells_what_the_daemon_does_and_when_it_was_last_heard(desk: Desk, stack: Operator) -> None:
    """A second edge of the stack calls a daemon asleep after a second of silence."""
    kept = stack_secrets.read(stack.data)
    async with AsyncExitStack() as exits:
        daemon = await exits.enter_async_context(desk.daemon())
        assert (await desk.snapshot()).busy is None
        await desk.say("slow: 60")
        await desk.until(lambda: any(beat.payload["busy"] for beat in desk.of("worker.heartbeat")))
        [began] = await desk.recorded("turn/started")
        working = await desk.snapshot()
        daemon.kill()
        await daemon.wait()
        await desk.say("nobody hears this")
        silent = await desk.snapshot()
        hurried = {**kept, "OA_PROFILE": "local", "OA_WORKER_HEARTBEAT_STALE_SECONDS": "1"}
        port, _ = await exits.enter_async_context(served("edge", hurried))
        async with Client(f"http://127.0.0.1:{port}", desk.token) as elsewhere:
            async with asyncio.timeout(30):
                while (await elsewhere.worker(desk.worker_id)).daemon_state != "asleep":  # noqa: ASYNC110 - time sets no event
                    await asyncio.sleep(0.05)
    assert working.daemon_state == "working"
    assert working.busy is not None
    assert working.busy.turn_id == began.payload["params"]["turn"]["id"]
    assert working.busy.what == "slow: 60"
    assert silent.daemon_seen_at == working.daemon_seen_at
    assert silent.latest_seq > working.latest_seq


class Phones:
    """Shake hands, five at a time; how long each took."""

    def __init__(self, desk: Desk) -> None:
        self.sent: list[str] = []
        self.took_s: list[float] = []
        self._desk = desk

    async def shake_fifty(self) -> None:
        for _ in range(10):
            await asyncio.gather(*(self._shake() for _ in range(5)))

    async def _shake(self) -> None:
        handshake_id = str(uuid.uuid4())
        self.sent.append(handshake_id)
        began = time.monotonic()
        await self._desk.shake_hands(handshake_id)
        await self._desk.until(lambda: handshake_id in acknowledged(self._desk))
        self.took_s.append(time.monotonic() - began)


async def test_two_hundred_handshakes_are_acknowledged_once_each_with_their_very_ids(desk: Desk, say: Say) -> None:
    """A quarter in peace, a quarter while the daemon is killed, a quarter after it lost its disk, a quarter reread."""
    phones = Phones(desk)
    async with desk.daemon():
        await phones.shake_fifty()
    peaceful_s = percentile(phones.took_s, 0.95)
    async with asyncio.TaskGroup() as tasks:
        shaking = tasks.create_task(phones.shake_fifty())
        async with desk.daemon():
            await desk.until(lambda: len(acknowledged(desk)) >= 70)
        async with desk.daemon():
            await shaking
    desk.store().unlink()
    async with desk.daemon():
        await phones.shake_fifty()
    desk.rewind()
    async with desk.daemon():
        await phones.shake_fifty()
    assert Counter(acknowledged(desk)) == Counter(phones.sent)
    assert len(phones.sent) == 200
    say(f"handshakes: p95 {peaceful_s:.2f} s in peace, {percentile(phones.took_s, 0.95):.2f} s over all")


def acknowledged(desk: Desk) -> list[str]:
    return [ack.payload["handshake_id"] for ack in desk.of("desktop/handshake_ack")]


async def test_a_message_is_one_turn_whose_events_come_in_the_order_of_codex(desk: Desk) -> None:
    async with desk.daemon():
        asked = await desk.say("run: echo once | tee -a done.txt")
        await desk.recorded("turn/completed")
    assert desk.written() == ["once"]
    told = [event for event in desk.events if event.seq > asked and "item" in event.payload.get("params", {})]
    steps = [(event.payload["method"], event.payload["params"]["item"]["type"]) for event in told]
    assert steps == [
        (f"item/{step}", kind)
        for kind in ("userMessage", "commandExecution", "agentMessage")
        for step in ("started", "completed")
    ]
    [began], [ended_] = desk.of("turn/started"), desk.of("turn/completed")
    assert asked < began.seq < ended_.seq
    assert numbers(desk.events) == list(range(1, len(desk.events) + 1))


async def test_what_is_repeated_or_read_again_does_not_run_again(desk: Desk) -> None:
    async with desk.daemon():
        for event_id in ("first", "second"):
            message = {"message_id": "same", "text": "run: echo once >> done.txt", "sent_from": "phone"}
            payload = {"method": "ios/user_message", "message_id": "same", "params": message}
            await desk.post(event_id, payload)
        await desk.recorded("turn/completed")
    desk.rewind()
    async with desk.daemon():
        await desk.say("run: echo last >> done.txt")
        await desk.recorded("turn/completed", 2)
    desk.store().unlink()
    async with desk.daemon():
        await desk.say("run: echo without_a_disk >> done.txt")
        await desk.recorded("turn/completed", 3)
    assert desk.written() == ["once", "last", "without_a_disk"]


async def test_what_was_sent_before_the_first_daemon_came_is_done_then(desk: Desk) -> None:
    await desk.say("run: echo early >> done.txt")
    async with desk.daemon():
        await desk.say("run: echo late >> done.txt")
        await desk.recorded("turn/completed", 2)
    assert desk.written() == ["early", "late"]


async def test_what_was_sent_to_another_program_is_not_done_again(desk: Desk) -> None:
    await desk.say("run: echo theirs >> done.txt")
    await desk.post("answer", {"source": "autopilot-desktop", "method": "turn/completed", "params": {}})
    async with desk.daemon():
        await desk.say("run: echo ours >> done.txt")
        await desk.recorded("turn/completed", 2)
    assert desk.written() == ["ours"]


async def test_what_is_sent_while_no_daemon_runs_is_done_once_and_in_order_when_one_comes(desk: Desk) -> None:
    async with desk.daemon() as daemon:
        assert await ended(daemon, signal.SIGTERM) == 0
    for number in range(5):
        await desk.say(f"run: echo {number} >> done.txt")
    assert (await desk.snapshot()).daemon_state == "off"
    async with desk.daemon():
        await desk.recorded("turn/completed", 5)
    assert desk.written() == list("01234")


async def test_a_turn_is_interrupted_by_its_id(desk: Desk, say: Say) -> None:
    async with desk.daemon():
        await desk.say("run: sleep 60; echo never >> done.txt")
        [began] = await desk.recorded("turn/started")
        await desk.until(lambda: "commandExecution" in str([event.payload for event in desk.of("item/started")]))
        turn_id = began.payload["params"]["turn"]["id"]
        asked = time.monotonic()
        answer = await desk.ask("turn/interrupt", {"turnId": turn_id})
        [completed] = await desk.recorded("turn/completed")
        say(f"interrupt: {time.monotonic() - asked:.2f} s")
    assert answer.ok
    assert completed.payload["params"]["turn"] | {"items": []} == {
        "id": turn_id,
        "items": [],
        "status": "interrupted",
        "error": None,
    }
    assert desk.written() == []


PROMPTS = {"command": "run: touch {}", "file_change": "patch: {}\nwritten"}


@pytest.mark.parametrize("kind", PROMPTS)
async def test_codex_does_what_it_asks_about_only_when_a_client_of_the_owner_allows_it(
    desk: Desk, url: str, bob: SignedIn, kind: str
) -> None:
    files = {"denied": "deny", "unanswered": None, "allowed": "accept", "kind": "accept_for_thread"}
    async with desk.daemon("--approve", "ask", "--approval-timeout", "3"):
        tablet = await desk.another_token()
        for number, (file, decision) in enumerate(files.items(), 1):
            await desk.say(PROMPTS[kind].format(file))
            asked = (await desk.recorded("worker.approval.requested", number))[-1].payload
            assert (asked["kind"], (desk.folder / file).exists()) == (kind, False)
            if decision:
                assert await answers(desk, asked["approval_id"], decision, [bob.token, tablet]) == ["forbidden", "done"]
            await desk.recorded("turn/completed", number)
        there = {file for file in files if (desk.folder / file).exists()}
        await desk.say(PROMPTS[kind].format("its_kind"))
        await desk.recorded("turn/completed", 5)
    assert there == {"allowed", "kind"}
    assert (desk.folder / "its_kind").exists()
    answered = [event.payload for event in desk.of("worker.approval.answered")]
    assert [answer["cause"] for answer in answered] == ["answered", "silence", "answered", "answered"]
    by = [answer["answered_by"]["token"] for answer in answered if answer["cause"] == "answered"]
    assert by == [int(tablet.split("|")[0])] * 3
    assert (await desk.snapshot()).open_approvals == ()


async def answers(desk: Desk, approval_id: str, decision: str, tokens: list[str]) -> list[str]:
    """What comes of the same answer from the holder of each token."""
    ends = []
    for token in tokens:
        async with Client(desk.client.url, token) as device:
            try:
                answer = {"approval_id": approval_id, "decision": decision}
                await device.workers[desk.worker_id].request("approval/answer", answer)
                ends.append("done")
            except Forbidden:
                ends.append("forbidden")
    return ends


async def test_requests_are_answered_refused_or_end_at_their_deadline(desk: Desk) -> None:
    async with desk.daemon() as daemon:
        listed = await desk.ask("thread/list", {}, "list")
        again = await desk.ask("thread/list", {}, "list")
        wider = {"threadId": "t", "input": [], "sandboxPolicy": {"type": "dangerFullAccess"}}
        widened = await desk.ask("turn/start", wider)
        unknown = await desk.ask("config/value/write", {"keyPath": "model", "value": "x"})
        daemon.send_signal(signal.SIGSTOP)
        late = await desk.ask("thread/list")
        daemon.send_signal(signal.SIGCONT)
        assert await ended(daemon, signal.SIGTERM) == 0
        offline = await desk.ask("thread/list")
    assert listed.ok
    assert "data" in listed.response["result"]
    assert again == listed
    assert [answer.response["error"]["code"] for answer in (widened, unknown, late, offline)] == [
        -32602,
        -32601,
        -32003,
        -32002,
    ]
    assert len([event for event in desk.of("worker.request.claimed") if event.payload["request_id"] == "list"]) == 1


async def test_stop_ends_the_turn_codex_and_the_daemon_and_nobody_registers_again(desk: Desk) -> None:
    async with desk.daemon() as daemon:
        await desk.say("run: sleep 60; echo never >> done.txt")
        await desk.until(lambda: "commandExecution" in str([event.payload for event in desk.of("item/started")]))
        started = codex_of(daemon)
        assert started
        await desk.client.stop_worker(desk.worker_id, "enough")
        async with asyncio.timeout(30):
            assert await daemon.wait() == 0
    assert (await desk.snapshot()).status == "stopped"
    assert desk.events[-1].event_type == "worker.stopped"
    await until(lambda: not [pid for pid in started if Path(f"/proc/{pid}").exists()])
    assert desk.written() == []


async def test_a_revoked_token_ends_the_daemon_with_one_message(desk: Desk) -> None:
    desk.token = await desk.another_token()
    async with desk.daemon() as daemon:
        async with Client(desk.client.url, desk.token) as itself:
            await itself.revoke()
        await desk.say("hello")
        async with asyncio.timeout(60):
            assert await daemon.wait() == 1
    assert desk.log.count("the token is not valid there") == 1
    assert len(desk.gate.posted_at) < 20


@pytest.mark.parametrize("outage_s", [5, pytest.param(60, marks=pytest.mark.slow)])
async def test_an_edge_that_is_away_costs_nothing_of_what_codex_says(desk: Desk, outage_s: int) -> None:
    async with desk.daemon():
        await desk.say(f"slow: {outage_s + 2}")
        await desk.recorded("item/agentMessage/delta")
        desk.gate.close()
        await desk.say("run: echo meanwhile >> done.txt")
        await asyncio.sleep(outage_s)  # the outage itself
        told = len(desk.events)
        desk.gate.open()
        await desk.recorded("turn/completed", 2)
    assert not [event for event in desk.events[:told] if event.payload.get("method") == "turn/completed"]
    assert spoken(desk).startswith(words((outage_s + 2) * 10))
    assert desk.written() == ["meanwhile"]


def words(count: int) -> str:
    """What the stub model says."""
    return "".join(f"word{number} " for number in range(1, count + 1))


def spoken(desk: Desk) -> str:
    return "".join(event.payload["params"]["delta"] for event in desk.of("item/agentMessage/delta"))


async def test_a_daemon_whose_place_in_the_log_is_gone_tells_the_gap_and_goes_on(desk: Desk, stack: Operator) -> None:
    async with desk.daemon() as daemon:
        await desk.say("run: echo before >> done.txt")
        await desk.recorded("turn/completed")
        assert await ended(daemon, signal.SIGTERM) == 0
    await desk.say("run: echo lost >> done.txt")
    head = await desk.shake_hands("kept")
    connection = await asyncpg.connect(stack_secrets.read(stack.data)["OA_DATABASE_URL"])
    deleted = "delete from events where seq < $1 and stream like '%' || $2"
    assert await connection.execute(deleted, head, desk.worker_id) == f"DELETE {head - 1}"
    await connection.close()
    async with desk.daemon():
        [gap] = await desk.recorded("worker/stream_gap")
        await desk.say("run: echo after >> done.txt")
        await desk.recorded("turn/completed", 2)
    assert gap.payload["params"]["to"] >= head
    assert desk.written() == ["before", "after"]


async def test_ten_thousand_deltas_are_posted_in_order_and_together(desk: Desk, say: Say) -> None:
    async with desk.daemon():
        await desk.recorded("worker.heartbeat")
        before = len(desk.gate.posted_at)
        began = time.monotonic()
        await desk.say("words: 10000")
        await desk.recorded("turn/completed")
        took_s = time.monotonic() - began
    posted_at = desk.gate.posted_at[before:]
    assert spoken(desk) == words(10_000)
    lasted_s = posted_at[-1] - posted_at[0]
    say(f"10 000 deltas: {took_s:.1f} s, {len(posted_at)} posts in {lasted_s:.1f} s")
    direct = len(desk.of("worker.heartbeat")) + len(desk.of("worker.message.claimed"))
    assert len(posted_at) - direct <= 50 * lasted_s + 1


async def test_two_daemons_with_one_id_run_each_message_once(desk: Desk) -> None:
    async with desk.daemon(state="one"), desk.daemon(state="two"):
        sent = [f"n{number}" for number in range(20)]
        for nonce in sent:
            await desk.say(f"run: echo {nonce} >> done.txt")
        await desk.recorded("turn/completed", 20)
    assert Counter(desk.written()) == Counter(sent)
    assert len(desk.of("worker.message.claimed")) == 20
