"""A Codex in memory: threads and turns that outlive its crashes, as rollouts on disk do, for tests of the daemon."""

import asyncio
import uuid
from collections.abc import Callable
from typing import Any

from oa_client.errors import CodexError, CodexExited

Json = dict[str, Any]


class Rollouts:
    """What Codex keeps on disk: the turns of each thread in which something was said."""

    def __init__(self) -> None:
        self.threads: dict[str, list[Json]] = {}

    def said(self) -> list[str]:
        """The text of every message that Codex took, in order."""
        turns = [turn for turns in self.threads.values() for turn in turns]
        return [item["content"][0]["text"] for turn in turns for item in turn["items"] if item["type"] == "userMessage"]


class FakeCodex:
    """`notice` is shown what it says; a turn runs until `finish`. `keeps_ids`: newer than 0.104.

    `dies_at` maps a method to when it crashes: "before" it took the call, or "after", so that no answer comes.
    """

    def __init__(self, rollouts: Rollouts, *, keeps_ids: bool = True, finishes: bool = True) -> None:
        self.rollouts = rollouts
        self.keeps_ids = keeps_ids
        self.finishes = finishes
        self.notice: Callable[[Json], None] = lambda message: None
        self.loaded: dict[str, str | None] = {}
        self.calls: list[tuple[str, Json]] = []
        self.called = asyncio.Condition()
        self.dies_at: dict[str, str] = {}
        self.refuses: set[str] = set()
        self.tells_of_starts = True

    async def request(self, method: str, params: Json) -> Any:
        await asyncio.sleep(0)
        async with self.called:
            self.calls.append((method, params))
            self.called.notify_all()
        if self.dies_at.get(method) == "before":
            raise CodexExited("killed")
        if method in self.refuses:
            raise CodexError("refused")
        answer = getattr(self, "_" + method.replace("/", "_"))(**params)
        if self.dies_at.get(method) == "after":
            raise CodexExited("killed")
        return answer

    async def was_called(self, method: str, times: int = 1) -> Json:
        """The parameters of the newest such call, once there are that many."""

        def found() -> list[Json]:
            return [params for name, params in self.calls if name == method]

        async with asyncio.timeout(10), self.called:
            await self.called.wait_for(lambda: len(found()) >= times)
        return found()[-1]

    def finish(self, thread_id: str) -> None:
        turn_id = self.loaded[thread_id]
        assert turn_id is not None
        self.loaded[thread_id] = None
        self._tell("turn/completed", thread_id, turn_id)

    def running(self) -> list[str]:
        return [thread_id for thread_id, turn_id in self.loaded.items() if turn_id]

    def _thread_start(self, **_settings: Any) -> Json:
        thread_id = str(uuid.uuid4())
        self.loaded[thread_id] = None
        return {"thread": {"id": thread_id, "turns": []}}

    def _thread_resume(self, threadId: str, **_settings: Any) -> Json:  # noqa: N803
        self.loaded[threadId] = None
        return self._thread_read(threadId)

    def _thread_read(self, threadId: str, **_options: Any) -> Json:  # noqa: N803
        if threadId not in self.rollouts.threads:
            raise CodexError(f"no rollout found for thread id {threadId}")
        return {"thread": {"id": threadId, "turns": self.rollouts.threads[threadId]}}

    def _turn_start(self, threadId: str, input: list[Json], **options: Any) -> Json:  # noqa: N803
        assert self.loaded[threadId] is None, "one turn at a time"
        turn: Json = {"id": str(uuid.uuid4()), "status": "completed", "items": [self._item(input, options)]}
        self.rollouts.threads.setdefault(threadId, []).append(turn)
        self.loaded[threadId] = turn["id"]
        if self.tells_of_starts:
            self._tell("turn/started", threadId, turn["id"])
        if self.finishes:
            asyncio.get_running_loop().call_soon(self.finish, threadId)
        return {"turn": {"id": turn["id"], "items": []}}

    def _turn_steer(self, threadId: str, expectedTurnId: str, input: list[Json], **options: Any) -> Json:  # noqa: N803
        if self.loaded[threadId] != expectedTurnId:
            raise CodexError("expected active turn id does not match")
        self.rollouts.threads[threadId][-1]["items"].append(self._item(input, options))
        return {"turnId": expectedTurnId}

    def _turn_interrupt(self, threadId: str, turnId: str) -> Json:  # noqa: N803
        if self.loaded[threadId] != turnId:
            raise CodexError("no such turn")
        self.finish(threadId)
        return {}

    def _item(self, said: list[Json], options: Json) -> Json:
        item: Json = {"type": "userMessage", "id": "item-1", "content": said}
        return item | {"clientId": options.get("clientUserMessageId")} if self.keeps_ids else item

    def _tell(self, method: str, thread_id: str, turn_id: str) -> None:
        self.notice({"method": method, "params": {"threadId": thread_id, "turn": {"id": turn_id}}})
