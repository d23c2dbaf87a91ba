"""Bodies of the run routes as commands, and the ids they are about (runtime §2.6–2.9, DEC-18, DEC-19)."""

import uuid
from typing import Annotated, Any, Final

from pydantic import AfterValidator, Field

from edge.errors import Invalid, Issue
from edge.requests import Fields, Identifier, Integer, Nullable, OpaqueObject
from producers.errors import InvalidRequest
from producers.inbox import ReceiveFrame
from producers.runs import RequestCancel, Status
from schemas import hashing, times
from schemas.names import CONTROL_CHARACTERS

MAX_ID: Final = 255
DEFAULT_LIMIT: Final = 50
Name = Annotated[Identifier, Field(min_length=1, max_length=MAX_ID)]


def _moment(text: str) -> str:
    try:
        times.parse(text)
    except ValueError:
        raise ValueError("must be an ISO-8601 time") from None
    return text


class ListQuery(Fields):
    run_id: Nullable[Name] = None
    thread_id: Nullable[Name] = None
    limit: Annotated[Integer, Field(ge=1, le=200)] = DEFAULT_LIMIT


class CreateBody(Fields):
    """Ids of runs and threads are read as the token binds them; here and below only their types are judged."""

    run_id: str | None = None
    thread_id: str


class NewRunBody(Fields):
    """On the public API: ids that are not given are made."""

    run_id: Nullable[Name] = None
    thread_id: Nullable[Name] = None


class FrameFields(Fields):
    """On the public API a run is named by the path alone."""

    frame_id: Name
    type: Name
    payload: OpaqueObject | None = None
    occurred_at: Nullable[Annotated[str, Field(max_length=64), AfterValidator(_moment)]] = None

    def command(self) -> ReceiveFrame:
        payload: dict[str, Any] = self.payload or {}
        return ReceiveFrame(self.frame_id, self.type, payload, hashing.hex_digest(payload), self.occurred_at)


class FrameBody(FrameFields):
    thread_id: str


class CancelFields(Fields):
    reason: Nullable[Annotated[str, Field(max_length=1000)]] = None

    def command(self) -> RequestCancel:
        return RequestCancel(self.reason)


class CancelBody(CancelFields):
    thread_id: str


class PublicListQuery(ListQuery):
    status: Nullable[Status] = None


def new_run_id() -> str:
    return f"run_{uuid.uuid4().hex}"


def new_thread_id() -> str:
    return f"thread_{uuid.uuid4().hex}"


def checked_id(field: str, text: str | None) -> str:
    """What names a run or a thread, as it came; raises Invalid, InvalidRequest."""
    if not text or not text.strip():
        raise Invalid([Issue(field, f"The {field} field is required, and a string.")])
    if CONTROL_CHARACTERS.search(text):
        raise InvalidRequest(f"{field} must not contain control characters")
    if len(text) > MAX_ID:
        raise Invalid([Issue(field, f"{field} may have {MAX_ID} characters at most.")])
    return text


def checked_run_id(text: str) -> str:
    """A run is addressed by a path, so its id has no slash."""
    if "/" in text:
        raise Invalid([Issue("run_id", "run_id must not contain a slash.")])
    return checked_id("run_id", text)
