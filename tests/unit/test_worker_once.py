"""What `--once` makes of a turn: words, steps, and how it ended, also from what two versions of Codex once said."""

import asyncio
import itertools
from collections.abc import Awaitable, Callable

import pytest
from oa_client import Client
from oa_client.errors import CodexExited
from oa_client.worker.once import Exit, Once, OneTurn, Said, Step
from oa_client.workers import Payload, WorkerEvent

from tests.codex_scenes import SCENES, VERSIONS, Version, read
from tests.fake_edge import TOKEN, FakeEdge, serving
from tests.services import eventually, free_port

NOW = "2026-11-22T21:00:00.000000Z"


def event(event_type: str, payload: Payload) -> WorkerEvent:
    return WorkerEvent("once:1", 1, event_type, payload, NOW)


def told(turn: OneTurn, *events: WorkerEvent) -> tuple[str, list[str]]:
    """Everything said, and the steps."""
    pieces = [piece for one in events for piece in turn.take(one)]
    said = "".join(piece.text for piece in pieces if isinstance(piece, Said))
    return said, [piece.line for piece in pieces if isinstance(piece, Step)]


def recorded(version: Version, scene: str) -> list[WorkerEvent]:
    return [event(*pair) for pair in read(version.recorded / f"{scene}.events.jsonl")]


def of_codex(method: str, **params: object) -> WorkerEvent:
    return event("worker.event", {"source": "autopilot-desktop", "method": method, "params": params})


def begun(prompt: str = "hi") -> OneTurn:
    turn = OneTurn("m1", prompt)
    item = {"type": "userMessage", "content": [{"type": "text", "text": prompt}]}
    assert told(turn, of_codex("item/started", turnId="u1", item=item)) == ("", [])
    assert turn.turn_id == "u1"
    return turn


def usage(outcome: str, turn_id: str = "u1") -> WorkerEvent:
    used = {"input_tokens": 90, "output_tokens": 10, "total_tokens": 100}
    return event("worker.turn.usage", {"thread_id": "t1", "turn_id": turn_id, "outcome": outcome, **used})


ENDS = {"failure": Exit.FAILED, "interrupt": Exit.INTERRUPTED}


@pytest.mark.parametrize(("version", "scene"), list(itertools.product(VERSIONS, SCENES)))
def test_a_recorded_turn_ends_as_it_ended(version: Version, scene: str) -> None:
    turn = OneTurn("m1", SCENES[scene].prompt)
    told(turn, *recorded(version, scene))
    assert turn.exit is ENDS.get(scene, Exit.COMPLETED)


@pytest.mark.parametrize("version", VERSIONS)
def test_words_are_said_once_and_a_command_is_a_step_and_what_it_gave(version: Version) -> None:
    turn = OneTurn("m1", SCENES["command"].prompt)
    said, steps = told(turn, *recorded(version, "command"))
    assert said == "The command printed:\nhi\n"
    assert [step[:2] for step in steps] == ["$ ", "/b"]
    assert steps[1].endswith("→ hi")


def test_words_that_came_in_no_deltas_are_said_when_their_item_is_complete() -> None:
    turn = begun()
    whole = {"type": "agentMessage", "id": "i1", "text": "Hello"}
    assert told(turn, of_codex("item/completed", turnId="u1", item=whole))[0] == "Hello\n"
    delta = of_codex("item/agentMessage/delta", turnId="u1", itemId="i2", delta="Bye")
    assert told(turn, delta, of_codex("item/completed", turnId="u1", item=whole | {"id": "i2"}))[0] == "Bye\n"


def test_another_turn_says_and_ends_nothing() -> None:
    turn = begun()
    other = [
        of_codex("item/agentMessage/delta", turnId="u2", itemId="i1", delta="no"),
        of_codex("turn/completed", turn={"id": "u2", "status": "completed"}),
        of_codex(
            "item/started", turnId="u2", item={"type": "userMessage", "content": [{"type": "text", "text": "hi"}]}
        ),
        usage("over_limit", "u2"),
    ]
    assert told(turn, *other) == ("", [])
    assert (turn.exit, turn.turn_id) == (None, "u1")


@pytest.mark.parametrize(
    ("ending", "end"),
    [
        (
            [usage("over_limit"), of_codex("turn/completed", turn={"id": "u1", "status": "interrupted"})],
            Exit.OVER_LIMIT,
        ),
        ([usage("completed"), of_codex("turn/completed", turn={"id": "u1", "status": "completed"})], Exit.COMPLETED),
        ([of_codex("turn/completed", turn={"id": "u1", "status": "interrupted"})], Exit.INTERRUPTED),
        ([of_codex("turn/completed", turn={"id": "u1", "status": "something new"})], Exit.FAILED),
        ([of_codex("worker/turn_lost", message_id="m1", turn_id="u1")], Exit.FAILED),
        ([of_codex("worker/turn_lost", message_id="m0", turn_id="u0")], None),
        ([of_codex("turn/start", message_id="m1", error={"message": "no model"})], Exit.FAILED),
        ([of_codex("turn/start", message_id="m0", error={"message": "no model"})], None),
        ([event("worker.stopped", {"reason": "enough"})], Exit.INTERRUPTED),
    ],
)
def test_how_it_ended_is_the_exit_status(ending: list[WorkerEvent], end: Exit | None) -> None:
    turn = begun()
    told(turn, *ending)
    assert turn.exit is end


def test_what_an_approval_asks_and_what_was_used_are_steps() -> None:
    asked = {"approval_id": "a1", "turn_id": "u1", "choices": ["deny"], "command": "make", "cwd": "/desk"}
    steps = told(begun(), event("worker.approval.requested", asked), usage("completed"))[1]
    assert steps == ["run: make in /desk → oa approve a1", "completed, 100 tokens (90 in, 10 out)"]


class Daemon:
    """One that registers, beats, and does what `then` says when the prompt has come."""

    def __init__(self, edge: FakeEdge, client: Client, then: Callable[["Daemon"], Awaitable[object]]) -> None:
        self.edge = edge
        self.client = client
        self._then = then

    async def serve(self) -> str:
        await self.client.create_worker("once:1", adapter="desktop_bridge")
        await self.client.post_event("once:1", "worker.heartbeat", {"desktop_session_id": "another"})
        for _ in range(20):  # time enough for a prompt that does not wait
            await self.client.worker("once:1")
        beat = await self.client.post_event("once:1", "worker.heartbeat", {"desktop_session_id": "s1"})
        [asked] = await self.edge.recorded("ios/user_message")
        assert asked["seq"] > beat.seq
        await self._then(self)
        return "enough"

    async def tell(self, method: str, event_type: str = "worker.event", **params: object) -> None:
        await self.client.post_event("once:1", event_type, {"method": method, "params": params})

    async def begin(self) -> None:
        content = [{"type": "text", "text": "hi"}]
        await self.tell("item/started", turnId="u1", item={"type": "userMessage", "content": content})


async def outcome(
    then: Callable[[Daemon], Awaitable[object]], steps: list[str] | None = None
) -> tuple[Exit, list[str]]:
    """How a prompt ended, and the steps that were shown."""
    edge, steps = FakeEdge(), [] if steps is None else steps

    def show(_: WorkerEvent, pieces: list[Said | Step]) -> None:
        steps.extend(piece.line for piece in pieces if isinstance(piece, Step))

    async with asyncio.timeout(30), serving(edge, free_port()) as url, Client(url, TOKEN) as client:
        once = Once(client, "once:1", "s1", "hi", show)
        daemon = asyncio.create_task(Daemon(edge, client, then).serve())
        try:
            return await once.run(daemon, await once.latest_seq()), steps
        finally:
            daemon.cancel()
            await asyncio.gather(daemon, return_exceptions=True)


async def test_a_turn_that_codex_refuses_to_begin_is_told() -> None:
    async def refuse(daemon: Daemon) -> None:
        await daemon.tell("turn/start", "worker.error", message_id="once-s1", error={"message": "no model"})
        await asyncio.Event().wait()

    assert await outcome(refuse) == (Exit.FAILED, ["no model"])


async def test_a_daemon_that_ends_in_the_middle_of_the_turn_fails_it() -> None:
    async def crash(daemon: Daemon) -> None:
        await daemon.begin()
        await daemon.tell("item/started", turnId="u1", item={"type": "commandExecution", "command": "make"})
        await eventually(lambda: bool(steps))
        raise CodexExited("Codex ended with status 1")

    steps: list[str] = []
    assert await outcome(crash, steps) == (Exit.FAILED, ["$ make"])


async def test_a_codex_that_never_ran_is_an_error() -> None:
    async def crash(_: Daemon) -> None:
        raise CodexExited("Codex did not start")

    with pytest.raises(CodexExited, match="did not start"):
        await outcome(crash)


async def test_a_daemon_that_is_stopped_or_cancelled_interrupts() -> None:
    async def stop(_: Daemon) -> None:
        return

    async def cancel(_: Daemon) -> None:
        raise asyncio.CancelledError

    assert [(await outcome(then))[0] for then in (stop, cancel)] == [Exit.INTERRUPTED] * 2
