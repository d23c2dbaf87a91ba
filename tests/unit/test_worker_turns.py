"""Messages become turns: in order, one at a time in each thread, once whatever crashes in between."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from oa_client.errors import CodexError, CodexExited, OverLimit
from oa_client.worker.approvals import Approve
from oa_client.worker.marks import Mark, Marks, Message
from oa_client.worker.store import Store
from oa_client.worker.threads import begun
from oa_client.worker.turns import CurrentThread, Turns, TurnSettings
from oa_client.workers import Payload

from tests.fake_codex import FakeCodex, Rollouts

NOON = "2026-02-25T12:00:00.000000Z"
SETTINGS = TurnSettings(Path("/desk"), "workspace-write", Approve.ASK)


class Meter:
    def __init__(self) -> None:
        self.no: str | None = None
        self.models: dict[str, str] = {}

    def refusal(self) -> str | None:
        return self.no

    def uses(self, thread_id: str, model: str) -> None:
        self.models[thread_id] = model


class Desk:
    """One daemon's file, and one Codex after another over the same rollouts."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.marks = Marks(store)
        self.rollouts = Rollouts()
        self.reports: list[tuple[str, str, Payload]] = []
        self.changes = 0
        self.meter = Meter()
        self.sent = 0

    def send(self, text: str, **options: object) -> Mark:
        self.sent += 1
        message = Message(f"m{self.sent}", self.sent, text, **options)  # type: ignore[arg-type]
        mark = Mark(message, f"s:claim:{self.sent}", "claimed")
        self.marks.set(mark)
        return mark

    def turns(self, codex: FakeCodex) -> Turns:
        turns = Turns(
            codex,
            SETTINGS,
            self.marks,
            CurrentThread(self.store),
            self.meter,
            report=lambda *event: self.reports.append(event),
            changed=self._change,
            timestamp=lambda: NOON,
        )
        codex.notice = turns.notice
        return turns

    def _change(self) -> None:
        self.changes += 1

    @asynccontextmanager
    async def working(self, codex: FakeCodex) -> AsyncIterator[Turns]:
        turns = self.turns(codex)
        running = asyncio.create_task(turns.run())
        yield turns
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    async def crash(self, codex: FakeCodex) -> None:
        """Works until that Codex dies."""
        async with asyncio.timeout(10):
            turns = self.turns(codex)
            running = asyncio.create_task(turns.run())
            await codex.was_called(next(iter(codex.dies_at)))
            for _ in range(10):
                await asyncio.sleep(0)
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    store = Store.open(tmp_path / "worker.sqlite")
    yield Desk(store)
    store.close()


async def ended(desk: Desk, *marks: Mark) -> None:
    async with asyncio.timeout(10):
        for mark in marks:
            while (kept := desk.marks.get(mark.message.message_id)) and kept.state != "ended":  # noqa: ASYNC110
                await asyncio.sleep(0.001)


async def test_messages_are_turns_of_one_thread_one_after_another(desk: Desk) -> None:
    marks = [desk.send(f"message {n}") for n in range(3)]
    async with desk.working(FakeCodex(desk.rollouts)):
        await ended(desk, *marks)
    assert desk.rollouts.said() == ["message 0", "message 1", "message 2"]
    assert len(desk.rollouts.threads) == 1


async def test_a_message_that_arrives_later_is_taken_up(desk: Desk) -> None:
    async with desk.working(FakeCodex(desk.rollouts)) as turns:
        await ended(desk, desk.send("first"))
        later = desk.send("second")
        turns.taken()
        await ended(desk, later)
    assert desk.rollouts.said() == ["first", "second"]


async def test_a_message_waits_while_a_turn_runs(desk: Desk) -> None:
    codex = FakeCodex(desk.rollouts, finishes=False)
    first, second = desk.send("first"), desk.send("second")
    async with desk.working(codex) as turns:
        await codex.was_called("turn/start")
        for _ in range(20):
            await asyncio.sleep(0)
        assert desk.rollouts.said() == ["first"]
        assert turns.busy is not None
        assert (turns.busy["what"], turns.busy["since"]) == ("first", NOON)
        codex.finish(codex.running()[0])
        await ended(desk, first)
        await codex.was_called("turn/start", 2)
        codex.finish(codex.running()[0])
        await ended(desk, second)
        assert turns.busy is None
    assert desk.changes == 4


async def test_a_message_waits_while_a_turn_of_somebody_else_runs_in_its_thread(desk: Desk) -> None:
    desk.rollouts.threads["other"] = [{"id": "u1", "items": []}]
    codex = FakeCodex(desk.rollouts, finishes=False)
    async with desk.working(codex) as turns:
        await turns.load("other")
        await codex.request("turn/start", {"threadId": "other", "input": [{"type": "text", "text": "theirs"}]})
        ours = desk.send("ours", thread_id="other")
        turns.taken()
        for _ in range(20):
            await asyncio.sleep(0)
        assert desk.rollouts.said()[-1] == "theirs"
        codex.finish("other")
        await codex.was_called("turn/start", 2)
        codex.finish("other")
        await ended(desk, ours)


async def test_a_turn_runs_from_codexs_answer_on_also_before_it_tells_of_it(desk: Desk) -> None:
    codex = FakeCodex(desk.rollouts, finishes=False)
    codex.tells_of_starts = False
    mark = desk.send("hello")
    async with desk.working(codex) as turns:
        await codex.was_called("turn/start")
        for _ in range(20):
            await asyncio.sleep(0)
        assert turns.busy is not None
        codex.finish(codex.running()[0])
        await ended(desk, mark)


async def test_threads_do_not_wait_for_each_other(desk: Desk) -> None:
    async with desk.working(FakeCodex(desk.rollouts)):
        await ended(desk, desk.send("to the first"))
        [known] = desk.rollouts.threads
    desk.rollouts.threads["other"] = [{"id": "u1", "items": []}]
    codex = FakeCodex(desk.rollouts, finishes=False)
    marks = [desk.send("there", thread_id="other"), desk.send("here"), desk.send("there again", thread_id="other")]
    async with desk.working(codex):
        await codex.was_called("turn/start", 2)
        assert sorted(codex.running()) == sorted([known, "other"])
        codex.finish("other")
        await codex.was_called("turn/start", 3)
        for thread_id in codex.running():
            codex.finish(thread_id)
        await ended(desk, *marks)
    assert [turn["items"][0]["content"][0]["text"] for turn in desk.rollouts.threads["other"][1:]] == [
        "there",
        "there again",
    ]


async def test_a_thread_that_is_not_there_is_reported_and_the_next_message_runs(desk: Desk) -> None:
    lost, good = desk.send("hello?", thread_id="nowhere"), desk.send("hello")
    async with desk.working(FakeCodex(desk.rollouts)):
        await ended(desk, lost, good)
    assert desk.rollouts.said() == ["hello"]
    [(event_type, method, params)] = desk.reports
    assert (event_type, method, params["message_id"]) == ("worker.error", "thread/resume", "m1")


async def test_a_turn_that_codex_refuses_is_reported_and_the_next_message_runs(desk: Desk) -> None:
    codex = FakeCodex(desk.rollouts)
    codex.refuses.add("turn/start")
    refused = desk.send("hello?")
    async with desk.working(codex) as turns:
        await ended(desk, refused)
        codex.refuses.clear()
        good = desk.send("hello")
        turns.taken()
        await ended(desk, good)
    assert desk.rollouts.said() == ["hello"]
    assert [report[1] for report in desk.reports] == ["turn/start"]


async def test_a_message_that_steers_goes_into_the_running_turn(desk: Desk) -> None:
    codex = FakeCodex(desk.rollouts, finishes=False)
    first, queued = desk.send("first"), desk.send("queued")
    async with desk.working(codex) as turns:
        await codex.was_called("turn/start")
        steering = desk.send("rather", steers=True)
        turns.taken()
        await codex.was_called("turn/steer")
        codex.finish(codex.running()[0])
        await ended(desk, first, steering)
        await codex.was_called("turn/start", 2)
        codex.finish(codex.running()[0])
        await ended(desk, queued)
    assert desk.rollouts.said() == ["first", "rather", "queued"]


async def test_a_message_that_steers_when_nothing_runs_is_a_turn(desk: Desk) -> None:
    async with desk.working(FakeCodex(desk.rollouts)):
        await ended(desk, desk.send("hello", steers=True))
    assert desk.rollouts.said() == ["hello"]


async def test_a_message_that_comes_too_late_to_steer_is_a_turn(desk: Desk) -> None:
    codex = FakeCodex(desk.rollouts, finishes=False)
    first = desk.send("first")
    async with desk.working(codex) as turns:
        await codex.was_called("turn/start")
        codex.refuses.add("turn/steer")
        late = desk.send("late", steers=True)
        turns.taken()
        await codex.was_called("turn/steer")
        codex.finish(codex.running()[0])
        await codex.was_called("turn/start", 2)
        codex.finish(codex.running()[0])
        await ended(desk, first, late)
    assert desk.rollouts.said() == ["first", "late"]


async def test_an_interrupt_names_the_turn_that_really_runs(desk: Desk) -> None:
    codex = FakeCodex(desk.rollouts, finishes=False)
    mark = desk.send("run: sleep 60")
    async with desk.working(codex) as turns:
        await codex.was_called("turn/start")
        await asyncio.sleep(0)
        [thread_id] = codex.running()
        turn_id = codex.loaded[thread_id]
        await turns.interrupt("another thread")
        await turns.interrupt()
        assert await codex.was_called("turn/interrupt") == {"threadId": thread_id, "turnId": turn_id}
        await ended(desk, mark)


@pytest.mark.parametrize("keeps_ids", [True, False])
@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("method", ["thread/start", "turn/start"])
async def test_a_message_runs_once_however_codex_or_the_daemon_dies(
    desk: Desk, method: str, when: str, keeps_ids: bool
) -> None:
    if method == "turn/start":
        said = [desk.send("again"), desk.send("something else")]
        async with desk.working(FakeCodex(desk.rollouts, keeps_ids=keeps_ids)):
            await ended(desk, *said)
    before = desk.rollouts.said()
    dying = FakeCodex(desk.rollouts, keeps_ids=keeps_ids, finishes=False)
    dying.dies_at = {method: when}
    marks = [desk.send("again"), desk.send("and then")]
    await desk.crash(dying)
    async with desk.working(FakeCodex(desk.rollouts, keeps_ids=keeps_ids)):
        await ended(desk, *marks)
    assert desk.rollouts.said() == [*before, "again", "and then"]


@pytest.mark.parametrize("keeps_ids", [True, False])
@pytest.mark.parametrize("when", ["before", "after"])
async def test_a_message_that_steers_is_said_once_however_codex_dies(desk: Desk, when: str, keeps_ids: bool) -> None:
    codex = FakeCodex(desk.rollouts, keeps_ids=keeps_ids, finishes=False)
    codex.dies_at = {"turn/steer": when}
    first = desk.send("go on")
    async with desk.working(codex) as turns:
        await codex.was_called("turn/start")
        steering = desk.send("go on", steers=True)
        turns.taken()
        await codex.was_called("turn/steer")
    async with desk.working(FakeCodex(desk.rollouts, keeps_ids=keeps_ids)):
        await ended(desk, first, steering)
    assert desk.rollouts.said() == ["go on", "go on"]


async def test_a_turn_that_was_running_when_codex_died_is_told_and_not_run_again(desk: Desk) -> None:
    codex = FakeCodex(desk.rollouts, finishes=False)
    mark = desk.send("run: make")
    async with desk.working(codex):
        await codex.was_called("turn/start")
        await asyncio.sleep(0.01)
    async with desk.working(FakeCodex(desk.rollouts)):
        await ended(desk, mark)
    [(event_type, method, params)] = desk.reports
    assert (event_type, method, params["message_id"]) == ("worker.event", "worker/turn_lost", "m1")
    assert desk.rollouts.said() == ["run: make"]


async def test_turns_end_with_codex(desk: Desk) -> None:
    codex = FakeCodex(desk.rollouts)
    codex.dies_at = {"thread/start": "before"}
    desk.send("hello")
    async with asyncio.timeout(10):
        await desk.turns(codex).run()
    with pytest.raises(CodexExited):
        await codex.request("thread/start", {})


def turn(turn_id: str, *texts: str, client_id: str | None = None) -> Payload:
    items = [{"type": "userMessage", "content": [{"type": "text", "text": text}]} for text in texts]
    return {"id": turn_id, "items": [item | ({"clientId": client_id} if client_id else {}) for item in items]}


HISTORY = [turn("u1", "hello"), turn("u2", "hello", "go on"), turn("u3", "hello")]


@pytest.mark.parametrize(
    ("state", "turn_id", "text", "steers", "found"),
    [
        ("starting", None, "hello", False, "u1"),
        ("starting", "u1", "hello", False, "u2"),
        ("starting", "u2", "hello", False, "u3"),
        ("starting", "u3", "hello", False, None),
        ("starting", "u2", "go on", True, "u2"),
        ("starting", "u2", "go on", False, None),
        ("starting", "u1", "hello", True, "u2"),
        ("started", "u2", "hello", False, "u2"),
        ("started", "u2", "go on", True, "u2"),
        ("started", "u4", "hello", False, None),
        ("starting", None, "other", False, None),
    ],
)
def test_where_a_message_is_found_without_ids(
    state: str, turn_id: str | None, text: str, steers: bool, found: str | None
) -> None:
    mark = Mark(Message("m1", 1, text, steers=steers), "c", state, "t", turn_id)  # type: ignore[arg-type]
    assert begun(HISTORY, mark) == found


def test_an_id_of_ours_counts_more_than_the_text() -> None:
    history = [turn("u1", "hello", client_id="m0"), turn("u2", "edited", client_id="m1")]
    assert begun(history, Mark(Message("m1", 1, "hello"), "c", "starting", "t")) == "u2"
    assert begun(history, Mark(Message("m2", 1, "hello"), "c", "starting", "t")) is None


async def wanted(turns: Turns, text: str, thread_id: str) -> Payload:
    return await turns.ask({"threadId": thread_id, "input": [{"type": "text", "text": text}]})


async def test_a_turn_that_is_asked_for_waits_behind_messages_and_answers_with_its_id(desk: Desk) -> None:
    codex = FakeCodex(desk.rollouts, finishes=False)
    first, second = desk.send("first"), desk.send("second")
    async with desk.working(codex) as turns:
        await codex.was_called("turn/start")
        [thread_id] = codex.running()
        asked = asyncio.create_task(wanted(turns, "third", thread_id))
        for mark in (first, second):
            await running(turns, thread_id)
            codex.finish(thread_id)
            await ended(desk, mark)
        answer = await asked
        assert await turns.running(thread_id) == (thread_id, answer["turn"]["id"])
    assert desk.rollouts.said() == ["first", "second", "third"]


async def test_a_turn_that_nobody_waits_for_any_more_does_not_begin(desk: Desk) -> None:
    codex = FakeCodex(desk.rollouts, finishes=False)
    first = desk.send("first")
    async with desk.working(codex) as turns:
        await codex.was_called("turn/start")
        [thread_id] = codex.running()
        given_up = asyncio.create_task(wanted(turns, "given up", thread_id))
        asked = asyncio.create_task(wanted(turns, "second", thread_id))
        await asyncio.sleep(0)
        given_up.cancel()
        codex.finish(thread_id)
        await ended(desk, first)
        await asked
    assert desk.rollouts.said() == ["first", "second"]


async def test_a_turn_in_a_thread_that_codex_does_not_know_is_refused(desk: Desk) -> None:
    async with desk.working(FakeCodex(desk.rollouts)) as turns:
        with pytest.raises(CodexError, match="no rollout found"):
            await wanted(turns, "hello", "unknown")


async def test_a_turn_that_codex_refuses_lets_the_next_one_begin(desk: Desk) -> None:
    codex = FakeCodex(desk.rollouts)
    async with desk.working(codex) as turns:
        await ended(desk, desk.send("first"))
        [thread_id] = desk.rollouts.threads
        codex.refuses.add("turn/start")
        with pytest.raises(CodexError, match="refused"):
            await wanted(turns, "second", thread_id)
        codex.refuses.clear()
        await wanted(turns, "third", thread_id)
    assert desk.rollouts.said() == ["first", "third"]


async def test_when_the_days_tokens_are_used_up_no_turn_begins_and_everybody_is_told(desk: Desk) -> None:
    desk.meter.no = "the day's cap is 100"
    codex = FakeCodex(desk.rollouts)
    message = desk.send("first")
    async with desk.working(codex) as turns:
        await ended(desk, message)
        thread_id = next(iter(codex.loaded))
        desk.rollouts.threads[thread_id] = []
        with pytest.raises(OverLimit, match="the day's cap is 100"):
            await wanted(turns, "second", thread_id)
        desk.meter.no = None
        await wanted(turns, "third", thread_id)
    params = {"message_id": "m1", "error": {"message": "the day's cap is 100"}}
    assert ("worker.error", "turn/start", params) in desk.reports
    assert desk.rollouts.said() == ["third"]


async def running(turns: Turns, thread_id: str | None = None) -> tuple[str, str]:
    async with asyncio.timeout(10):
        while turns.busy is None:  # noqa: ASYNC110
            await asyncio.sleep(0)
        return await turns.running(thread_id)


class Slow(FakeCodex):
    """Begins turns when it may."""

    def __init__(self, rollouts: Rollouts) -> None:
        super().__init__(rollouts, finishes=False)
        self.asked = asyncio.Event()
        self.may_begin = asyncio.Event()

    async def request(self, method: str, params: Payload) -> object:
        if method == "turn/start":
            self.asked.set()
            await self.may_begin.wait()
        return await super().request(method, params)


async def test_whoever_asks_which_turn_runs_waits_for_one_that_is_about_to_begin(desk: Desk) -> None:
    codex = Slow(desk.rollouts)
    async with desk.working(codex) as turns, asyncio.timeout(10):
        with pytest.raises(CodexError, match="no turn runs there"):
            await turns.running(None)
        desk.send("first")
        turns.taken()
        await codex.asked.wait()
        asking = asyncio.create_task(turns.running(None))
        await asyncio.sleep(0)
        codex.may_begin.set()
        thread_id, turn_id = await asking
        assert (thread_id, turn_id) == (codex.running()[0], codex.loaded[thread_id])


async def test_where_several_turns_run_one_has_to_be_named(desk: Desk) -> None:
    desk.rollouts.threads |= {"one": [], "other": []}
    codex = FakeCodex(desk.rollouts, finishes=False)
    async with desk.working(codex) as turns:
        for thread_id in desk.rollouts.threads:
            await wanted(turns, "hello", thread_id)
        with pytest.raises(CodexError, match="several turns run"):
            await turns.running(None)
        assert (await turns.running("other"))[0] == "other"


async def test_a_turn_is_cut_short_by_its_id(desk: Desk) -> None:
    codex = FakeCodex(desk.rollouts, finishes=False)
    async with desk.working(codex) as turns:
        desk.send("first")
        turns.taken()
        thread_id, turn_id = await running(turns)
        turns.cut_short(thread_id, turn_id)
        assert await codex.was_called("turn/interrupt") == {"threadId": thread_id, "turnId": turn_id}


async def test_a_thread_that_was_put_away_is_loaded_again_when_it_is_named(desk: Desk) -> None:
    codex = FakeCodex(desk.rollouts)
    async with desk.working(codex) as turns:
        await ended(desk, desk.send("first"))
        [thread_id] = desk.rollouts.threads
        turns.forget(thread_id)
        await wanted(turns, "second", thread_id)
        assert await codex.was_called("thread/resume") == {"threadId": thread_id, **SETTINGS.thread}


async def test_the_model_of_a_thread_is_told_to_whoever_meters(desk: Desk) -> None:
    async with desk.working(FakeCodex(desk.rollouts)) as turns:
        turns.adopt({"thread": {"id": "t1"}, "model": "gpt-x"})
    assert desk.meter.models == {"t1": "gpt-x"}
