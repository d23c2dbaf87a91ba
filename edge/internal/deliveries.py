"""Delivery events that other services forward (runtime §2.10): no principal, they belong to the system."""

from typing import Annotated

from pydantic import AfterValidator, Field
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from edge.auth.signed_requests import signed
from edge.requests import Fields, Line, Nullable, OpaqueObject, body_of, endpoints, read_body, service
from edge.responses import Json
from edge.tracing import trace_headers
from producers.deliveries import DECIDER, DeliveryState, RecordDelivery
from producers.eventlog.commands import Item
from producers.eventlog.log import EventLog
from schemas import times
from schemas.names import SYSTEM_OWNER, delivery_stream


def _moment(text: str) -> str:
    times.parse(text)
    return text


Ref = Annotated[Line, Field(max_length=255)]
Moment = Annotated[Line, AfterValidator(_moment)]


class DeliveryBody(Fields):
    event_id: Annotated[Line, Field(min_length=2, max_length=256)]
    provider: Annotated[Line, Field(min_length=2, max_length=64)]
    delivery_state: DeliveryState
    payload: OpaqueObject | None = None
    message_id: Nullable[Ref] = None
    integration_id: Nullable[Ref] = None
    recipient: Nullable[str] = None
    occurred_at: Nullable[Moment] = None
    reason: Nullable[str] = None

    def command(self) -> RecordDelivery:
        return RecordDelivery(**{**dict(self), "payload": self.payload or {}})


async def record(request: Request) -> Response:
    await signed(request)
    command = (await body_of(request, DeliveryBody)).command()
    [outcome] = await service(request, EventLog).execute(
        DECIDER,
        delivery_stream(command.event_id),
        SYSTEM_OWNER,
        [Item(command)],
        headers=trace_headers(request),
        size=len(await read_body(request)),
    )
    answer = {"eventId": command.event_id, "status": "accepted", "idempotentReplay": outcome.replayed}
    return Json(answer, 200 if outcome.replayed else 202)


routes: list[Route] = [endpoints("/internal/v1/comms/delivery-events", POST=record)]
