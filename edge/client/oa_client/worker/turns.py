"""What people write becomes turns of Codex: one after another in each thread, each message once."""

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn, Protocol

from oa_client.errors import CodexError, CodexExited, OverLimit
from oa_client.worker.approvals import Approve
from oa_client.worker.marks import Mark, Marks
from oa_client.worker.store import Store
from oa_client.worker.threads import Thread, begun, loaded, text_of
from oa_client.workers import Payload

_LOG = logging.getLogger(__name__)


class Asked(Protocol):
    """A running Codex."""

    async def request(self, method: str, params: Payload) -> Any:
        """The result. Raises CodexError when Codex refuses, CodexExited when it ends first."""


@dataclass(frozen=True)
class TurnSettings:
    """What the owner lets Codex do; nobody else can change it."""

    cwd: Path
    sandbox: str
    approve: Approve

    @property
    def thread(self) -> Payload:
        return {"cwd": str(self.cwd), "sandbox": self.sandbox, "approvalPolicy": self.approve.policy}

    @property
    def command_sandbox(self) -> Payload:
        """The same sandbox in the words of `command/exec`."""
        first, *rest = self.sandbox.split("-")
        policy: Payload = {"type": "".join([first, *map(str.capitalize, rest)])}
        return policy | {"writableRoots": [str(self.cwd)]} if self.sandbox == "workspace-write" else policy


class Meter(Protocol):
    """Knows what turns use."""

    def refusal(self) -> str | None:
        """Why no turn may begin now."""

    def uses(self, thread_id: str, model: str) -> None:
        """The model of the turns that begin in this thread from now on."""


@dataclass(frozen=True)
class Wanted:
    """A turn that a client asked for by a request; `begun` has Codex's answer."""

    params: Payload
    begun: asyncio.Future[Payload]


class CurrentThread:
    """Where messages go that name no thread; kept, so that the next daemon goes on there."""

    def __init__(self, store: Store) -> None:
        self._store = store

    @property
    def thread_id(self) -> str | None:
        return self._store.fact("thread")

    @thread_id.setter
    def thread_id(self, thread_id: str | None) -> None:
        self._store.set_fact("thread", thread_id)


class Turns:
    """Of one running Codex. Messages wait in their marks, so another Turns on another Codex goes on with what is open.

    `report` takes type, method and params of an event; `changed` is called when a turn begins or ends.
    """

    def __init__(
        self,
        codex: Asked,
        settings: TurnSettings,
        marks: Marks,
        current: CurrentThread,
        meter: Meter,
        *,
        report: Callable[[str, str, Payload], None],
        changed: Callable[[], None],
        timestamp: Callable[[], str],
    ) -> None:
        self._codex = codex
        self._settings = settings
        self._marks = marks
        self._current = current
        self._meter = meter
        self._report = report
        self._changed = changed
        self._timestamp = timestamp
        self._threads: dict[str, Thread] = {}
        self._queues: dict[str, asyncio.Queue[Mark | Wanted]] = {}
        self._lanes = asyncio.TaskGroup()
        self._seen: set[str] = set()
        self._arrived = asyncio.Event()

    def taken(self) -> None:
        """There is a new mark."""
        self._arrived.set()

    @property
    def busy(self) -> Payload | None:
        """The turn that runs longest."""
        running = [busy for thread in self._threads.values() if (busy := thread.busy)]
        return min(running, key=lambda busy: str(busy["since"]), default=None)

    def notice(self, message: Payload) -> None:
        """Must see every notification of Codex, in order, before the event that mirrors it is kept."""
        match message:
            case {"method": "turn/started", "params": {"threadId": str(thread_id), "turn": {"id": str(turn_id)}}}:
                if thread := self._threads.get(thread_id):
                    thread.begin(turn_id, self._timestamp())
                    self._changed()
            case {"method": "turn/completed", "params": {"threadId": str(thread_id), "turn": {"id": str(turn_id)}}}:
                if thread := self._threads.get(thread_id):
                    thread.end(turn_id)
                    self._end_marks(turn_id)
                    self._changed()

    async def run(self) -> None:
        """Takes up what is open, then what arrives. Returns when Codex has ended."""
        try:
            async with self._lanes:
                await self._take_up()
        except* CodexExited as ended:
            _LOG.debug("%s", ended)

    async def _take_up(self) -> NoReturn:
        while True:
            self._arrived.clear()
            for mark in self._marks.open():
                if mark.message.message_id not in self._seen:
                    self._seen.add(mark.message.message_id)
                    await self._route(mark)
            await self._arrived.wait()

    async def load(self, thread_id: str) -> Thread:
        """The thread, resumed if this Codex has not loaded it. Raises CodexError when there is no such thread."""
        if thread_id not in self._threads:
            params = {"threadId": thread_id, **self._settings.thread}
            self.adopt(await self._codex.request("thread/resume", params))
        return self._threads[thread_id]

    def adopt(self, answer: Payload) -> Thread:
        """The thread that Codex started, resumed or forked, as its answer says."""
        thread = loaded(answer["thread"])
        if "model" in answer:
            self._meter.uses(thread.thread_id, str(answer["model"]))
        return self._threads.setdefault(thread.thread_id, thread)

    def forget(self, thread_id: str) -> None:
        """Codex is to put it away; whoever names it again loads it again."""
        if thread := self._threads.pop(thread_id, None):
            thread.rest()

    async def ask(self, params: Payload) -> Payload:
        """What Codex answers to this `turn/start`, which waits its turn in its thread. Cancelled, it never begins."""
        wanted = Wanted(params, asyncio.get_running_loop().create_future())
        self._line_up(await self.load(params["threadId"]), wanted)
        return await wanted.begun

    async def running(self, thread_id: str | None) -> tuple[str, str]:
        """Thread and turn; without a thread, where the only one runs. Raises CodexError when there is no such turn."""
        threads = [thread for thread in self._threads.values() if thread_id in (None, thread.thread_id)]
        for thread in threads:
            await thread.settled.wait()
        running = [(thread.thread_id, thread.running_turn) for thread in threads if thread.running_turn]
        match running:
            case [(found, str(turn_id))]:
                return found, turn_id
        raise CodexError("several turns run: name a thread" if running else "no turn runs there")

    def cut_short(self, thread_id: str, turn_id: str) -> None:
        """Interrupts the turn without waiting for its end."""
        self._lanes.create_task(self._cut_short({"threadId": thread_id, "turnId": turn_id}))

    async def _cut_short(self, turn: Payload) -> None:
        with suppress(CodexError):  # it ended by itself meanwhile
            await self._codex.request("turn/interrupt", turn)

    async def interrupt(self, thread_id: str | None = None) -> None:
        """The turn that runs in the thread, or every running turn; returns when Codex has said that it ended."""
        for thread in list(self._threads.values()):
            if thread.busy and thread_id in (None, thread.thread_id):
                with suppress(CodexError):  # it ended by itself meanwhile
                    params = {"threadId": thread.thread_id, "turnId": thread.running_turn}
                    await self._codex.request("turn/interrupt", params)
                    await thread.idle.wait()

    async def _route(self, mark: Mark) -> None:
        try:
            thread, mark = await self._placed(mark)
        except CodexError as error:
            self._fail(mark, "thread/resume", error)
            return
        if mark.state == "ended" or (mark.message.steers and await self._steered(thread, mark)):
            return
        self._line_up(thread, mark)

    def _line_up(self, thread: Thread, turn: Mark | Wanted) -> None:
        if thread.thread_id not in self._queues:
            self._queues[thread.thread_id] = asyncio.Queue()
            self._lanes.create_task(self._work(thread.thread_id, self._queues[thread.thread_id]))
        self._queues[thread.thread_id].put_nowait(turn)

    async def _placed(self, mark: Mark) -> tuple[Thread, Mark]:
        """Its thread, and the mark as Codex knows the message after whatever interrupted us."""
        thread_id = mark.thread_id or mark.message.thread_id
        if thread_id is None or mark.message.thread_id is None:
            thread = await self._continued(thread_id or self._current.thread_id)
        else:
            thread = await self.load(thread_id)
        if mark.state == "claimed":
            return thread, mark
        return thread, await self._looked_up(mark)

    async def _continued(self, thread_id: str | None) -> Thread:
        """The current thread; a new one when there is none, or when Codex forgot it because nothing was said in it."""
        if thread_id is not None:
            try:
                return await self.load(thread_id)
            except CodexError as error:
                _LOG.info("a new thread begins: %s", error)
        thread = self.adopt(await self._codex.request("thread/start", self._settings.thread))
        self._current.thread_id = thread.thread_id
        return thread

    async def _looked_up(self, mark: Mark) -> Mark:
        """`ended` if Codex had begun it, else `claimed` as before."""
        turns = await self._history(mark.thread_id)
        if turn_id := begun(turns, mark):
            ended = mark.moved("ended", mark.thread_id, turn_id)
            self._marks.note(ended)
            params = {"message_id": mark.message.message_id, "thread_id": mark.thread_id, "turn_id": turn_id}
            self._report("worker.event", "worker/turn_lost", params)
            return ended
        return mark.moved("claimed")

    async def _history(self, thread_id: str | None) -> list[Payload]:
        try:
            read = await self._codex.request("thread/read", {"threadId": thread_id, "includeTurns": True})
        except CodexError:  # nothing was said in it
            return []
        return list(read["thread"]["turns"])

    async def _work(self, thread_id: str, queue: asyncio.Queue[Mark | Wanted]) -> None:
        with suppress(CodexExited):  # what is open is taken up with the next Codex
            while True:
                turn = await queue.get()
                try:
                    thread = await self.load(thread_id)
                    await thread.idle.wait()
                    await self._begin(thread, turn)
                    await thread.idle.wait()
                except (CodexError, OverLimit) as error:
                    self._refused(turn, error)

    async def _begin(self, thread: Thread, turn: Mark | Wanted) -> None:
        if isinstance(turn, Wanted) and turn.begun.done():
            return  # whoever wanted it waits no more
        if reason := self._meter.refusal():
            raise OverLimit(reason)
        try:
            await (self._start(thread, turn) if isinstance(turn, Mark) else self._start_wanted(thread, turn))
        except CodexError:
            thread.rest()
            raise

    async def _start(self, thread: Thread, mark: Mark) -> None:
        self._marks.set(mark.moved("starting", thread.thread_id, thread.newest_turn))
        thread.expect(mark.message.text)
        answer = await self._codex.request("turn/start", {"threadId": thread.thread_id, **_said(mark)})
        self._started(thread, mark, str(answer["turn"]["id"]))

    async def _start_wanted(self, thread: Thread, wanted: Wanted) -> None:
        thread.expect(text_of(wanted.params["input"]))
        answer: Payload = await self._codex.request("turn/start", wanted.params)
        self._noted(thread, str(answer["turn"]["id"]))
        if not wanted.begun.done():
            wanted.begun.set_result(answer)

    def _refused(self, turn: Mark | Wanted, error: CodexError | OverLimit) -> None:
        if isinstance(turn, Mark):
            self._fail(turn, "turn/start", error)
        elif not turn.begun.done():
            turn.begun.set_exception(error)

    async def _steered(self, thread: Thread, mark: Mark) -> bool:
        """Whether the message was put into the turn that runs there; otherwise it becomes one of its own."""
        if thread.busy is None:
            return False
        turn_id = thread.running_turn
        self._marks.set(mark.moved("starting", thread.thread_id, turn_id))
        try:
            params = {"threadId": thread.thread_id, "expectedTurnId": turn_id, **_said(mark)}
            answer = await self._codex.request("turn/steer", params)
        except CodexError as error:
            _LOG.info("the turn cannot be steered, so the message waits: %s", error)
            return False
        self._started(thread, mark, str(answer["turnId"]))
        return True

    def _started(self, thread: Thread, mark: Mark, turn_id: str) -> None:
        has_ended = self._noted(thread, turn_id)
        self._marks.set(mark.moved("ended" if has_ended else "started", thread.thread_id, turn_id))

    def _noted(self, thread: Thread, turn_id: str) -> bool:
        """Whether it has ended: Codex may have told of its end before its answer reached us."""
        has_ended = turn_id in thread.ended_turns
        if not has_ended and thread.running_turn is None:
            thread.begin(turn_id, self._timestamp())
        return has_ended

    def _end_marks(self, turn_id: str) -> None:
        for mark in self._marks.open():
            if mark.state == "started" and mark.turn_id == turn_id:
                self._marks.note(mark.moved("ended", mark.thread_id, turn_id))

    def _fail(self, mark: Mark, method: str, error: CodexError | OverLimit) -> None:
        self._marks.note(mark.moved("ended", mark.thread_id))
        params = {"message_id": mark.message.message_id, "error": {"message": str(error)}}
        self._report("worker.error", method, params)


def _said(mark: Mark) -> Payload:
    """Newer Codex keeps the id with the message; 0.104 takes no notice of it."""
    message = {"type": "text", "text": mark.message.text}
    return {"input": [message], "clientUserMessageId": mark.message.message_id}
