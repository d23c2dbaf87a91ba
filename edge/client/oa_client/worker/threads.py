"""Codex's threads as this daemon sees them: what runs there, and whether a message has become a turn."""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from oa_client.worker.marks import Mark
from oa_client.workers import Payload

_WHAT_CHARACTERS = 120


@dataclass
class Thread:
    """One that Codex has loaded. While a turn was asked for and has not begun it is neither `idle` nor `settled`."""

    thread_id: str
    newest_turn: str | None = None
    running_turn: str | None = None
    what: str = ""
    since: str = ""
    idle: asyncio.Event = field(default_factory=asyncio.Event)
    settled: asyncio.Event = field(default_factory=asyncio.Event)
    ended_turns: set[str] = field(default_factory=set)

    def begin(self, turn_id: str, at: str) -> None:
        self.newest_turn = self.running_turn = turn_id
        self.since = at
        self.idle.clear()
        self.settled.set()

    def expect(self, text: str) -> None:
        """A turn is asked for."""
        self.what = described(text)
        self.idle.clear()
        self.settled.clear()

    def end(self, turn_id: str) -> None:
        self.ended_turns.add(turn_id)
        if self.running_turn in (turn_id, None):
            self.rest()

    def rest(self) -> None:
        self.running_turn, self.what = None, ""
        self.idle.set()
        self.settled.set()

    @property
    def busy(self) -> Payload | None:
        """As heartbeats say it (docs/adr/0013)."""
        if self.running_turn is None:
            return None
        what = self.what or "turn"
        return {"thread_id": self.thread_id, "turn_id": self.running_turn, "what": what, "since": self.since}


def loaded(thread: Payload) -> Thread:
    """From Codex's answer to `thread/start` or `thread/resume`; nothing runs there yet."""
    turns = thread.get("turns") or []
    known = Thread(str(thread["id"]), str(turns[-1]["id"]) if turns else None)
    known.rest()
    return known


def described(text: str) -> str:
    """The first line of a message, for people who ask what the worker is doing."""
    return text.strip().partition("\n")[0][:_WHAT_CHARACTERS]


def begun(turns: Sequence[Payload], mark: Mark) -> str | None:
    """The turn that has the mark's message, if Codex took it; by its text where Codex (0.104) keeps no id of ours."""
    candidates = _became(turns, mark) if mark.state == "started" else _could_become(turns, mark)
    return next((turn_id for turn_id, said in candidates if any(_is(item, mark) for item in said)), None)


def _became(turns: Sequence[Payload], mark: Mark) -> Iterator[tuple[str, list[Payload]]]:
    yield from ((turn["id"], _messages(turn)) for turn in turns if turn["id"] == mark.turn_id)


def _could_become(turns: Sequence[Payload], mark: Mark) -> Iterator[tuple[str, list[Payload]]]:
    """Turns after the one that was the newest; and what was said later in that one, if the message was to steer it."""
    newest = next((at for at, turn in enumerate(turns) if turn["id"] == mark.turn_id), -1)
    if newest >= 0 and mark.message.steers:
        yield turns[newest]["id"], _messages(turns[newest])[1:]
    yield from ((turn["id"], _messages(turn)) for turn in turns[newest + 1 :])


def _messages(turn: Payload) -> list[Payload]:
    return [item for item in turn["items"] if item["type"] == "userMessage"]


def _is(item: Payload, mark: Mark) -> bool:
    if item.get("clientId") is not None:
        return bool(item["clientId"] == mark.message.message_id)
    return text_of(item["content"]) == mark.message.text


def text_of(content: Sequence[Any]) -> str:
    return "".join(str(part.get("text", "")) for part in content if part.get("type") == "text")
