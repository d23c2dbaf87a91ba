"""How far each message that was taken has come, kept so that it becomes one turn whatever ends in between."""

from typing import Literal

import msgspec

from oa_client.worker.store import Store

_REMEMBERED = 10_000

State = Literal["claiming", "claimed", "starting", "started", "ended"]


class Message(msgspec.Struct, frozen=True):
    """What a person wrote; without `thread_id` it is for the worker's current thread."""

    message_id: str
    seq: int
    text: str
    thread_id: str | None = None
    steers: bool = False


class Mark(msgspec.Struct, frozen=True):
    """`claiming` is not answered yet; `claimed` is ours to run; `starting` may have begun, which only Codex knows.

    `turn_id` is the turn that it became or steered; while `starting`, the last one before it.
    """

    message: Message
    claim_id: str
    state: State = "claiming"
    thread_id: str | None = None
    turn_id: str | None = None

    def moved(self, state: State, thread_id: str | None = None, turn_id: str | None = None) -> "Mark":
        return msgspec.structs.replace(self, state=state, thread_id=thread_id, turn_id=turn_id)


class Marks:
    def __init__(self, store: Store) -> None:
        self._store = store

    def get(self, message_id: str) -> Mark | None:
        return next(iter(self._decoded("mark", message_id)), None)

    def set(self, mark: Mark) -> None:
        """On the disk when this returns."""
        with self._store.durably():
            self.note(mark)

    def note(self, mark: Mark) -> None:
        """Kept together with the events that are put around it."""
        message = mark.message
        self._store.write("set_mark", message.message_id, message.seq, mark.state, msgspec.json.encode(mark))
        if mark.state == "ended":
            self._store.write("forget_marks", _REMEMBERED)

    def drop(self, mark: Mark) -> None:
        self._store.write("drop_mark", mark.message.message_id)

    def open(self) -> list[Mark]:
        """What is ours and has not ended, in the order it was sent."""
        return self._decoded("open_marks")

    def forget(self) -> None:
        """All of them."""
        self._store.write("drop_marks")

    def _decoded(self, statement: str, *values: str) -> list[Mark]:
        return [msgspec.json.decode(mark, type=Mark) for (mark,) in self._store.read(statement, *values)]
