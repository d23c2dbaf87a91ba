"""Bodies and queries of the worker routes, public and signed, as commands (runtime §2.13–2.16, edge §2.6)."""

import uuid
from typing import Annotated, Any, Literal

from pydantic import AliasChoices, Field, model_validator

from edge.errors import Invalid, Issue
from edge.requests import Fields, Identifier, Integer, Line, Nullable, OpaqueObject, described
from edge.workers import DEFAULT_LIMIT, MAX_BATCH, NewEvent
from producers.workers import AppendEvent, CreateWorker, SendRequest, StopWorker
from schemas.events import Payload

MAX_BATCH_BYTES = 1024 * 1024
Ref = Annotated[Line, Field(max_length=255)]
Name = Annotated[Identifier, Field(max_length=255)]
EventType = Annotated[
    Identifier, Field(max_length=160, pattern=r"^worker\."), described(r"^worker\.[^\x00-\x1f\x7f]*$")
]


class CreateBody(Fields):
    worker_id: Nullable[Annotated[Identifier, Field(max_length=160)]] = None
    workspace_ref: Nullable[Ref] = None
    codex_home_ref: Nullable[Ref] = None
    adapter: Nullable[Annotated[Line, Field(max_length=120)]] = None
    metadata: OpaqueObject | None = None

    def command(self, *, owner_is_ambiguous: bool = False) -> CreateWorker:
        return CreateWorker(
            worker_id=self.worker_id or f"codexw_{uuid.uuid4().hex}",
            adapter=self.adapter,
            workspace_ref=self.workspace_ref,
            codex_home_ref=self.codex_home_ref,
            metadata=self.metadata,
            owner_is_ambiguous=owner_is_ambiguous,
        )


class ListQuery(Fields):
    status: Nullable[Literal["starting", "running", "stopping", "stopped", "failed"]] = None
    workspace_ref: Nullable[Ref] = None
    limit: Annotated[Integer, Field(ge=1, le=200)] = DEFAULT_LIMIT
    before: Nullable[Annotated[Line, Field(max_length=160)]] = None


class EventFields(Fields):
    event_type: EventType
    payload: OpaqueObject | None = None


class EventBody(Fields):
    event: EventFields

    def command(self) -> AppendEvent:
        return AppendEvent(self.event.event_type, self.event.payload or {})


class SignedEventFields(EventFields):
    event_type: EventType = Field(validation_alias=AliasChoices("event_type", "type", "eventType"))


class SignedEventBody(EventBody):
    """The event under `event`, or bare."""

    event: SignedEventFields

    @model_validator(mode="before")
    @classmethod
    def _bare(cls, body: dict[str, Any]) -> dict[str, Any]:
        return body if "event" in body else {"event": body}


class BatchItem(EventFields):
    event_id: Annotated[Name, Field(min_length=1)]


class BatchBody(Fields):
    events: Annotated[list[BatchItem], Field(min_length=1, max_length=MAX_BATCH)]

    def new_events(self) -> list[NewEvent]:
        return [NewEvent(item.event_id, item.event_type, item.payload or {}) for item in self.events]


class RequestFields(Fields):
    request_id: Nullable[Name] = Field(None, validation_alias=AliasChoices("request_id", "id"))
    method: Annotated[Name, Field(min_length=1)]
    params: Any = None


class RequestBody(Fields):
    request: RequestFields

    def command(self, requested_by: Payload) -> SendRequest:
        request_id = self.request.request_id or f"req_{uuid.uuid4().hex}"
        return SendRequest(request_id, self.request.method, self.request.params, requested_by)


class SignedRequestBody(RequestBody):
    """The request under `request`, or bare."""

    @model_validator(mode="before")
    @classmethod
    def _bare(cls, body: dict[str, Any]) -> dict[str, Any]:
        return body if "request" in body else {"request": body}


class StopBody(Fields):
    reason: Nullable[Ref] = None

    def command(self) -> StopWorker:
        return StopWorker(self.reason)


def check_batch_size(body: bytes) -> None:
    """At most 1 MiB (DEC-47); a broken limit is answered like any other broken rule."""
    if len(body) > MAX_BATCH_BYTES:
        raise Invalid([Issue("events", f"A batch may be {MAX_BATCH_BYTES} bytes at most.")])
