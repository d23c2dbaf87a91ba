"""Webhooks: where an owner's programs hear of notifications (docs/notifications.md)."""

from typing import Annotated, Any

from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response

from edge.auth.authentication import require_user
from edge.outlets import Attempt, Outlet, Outlets
from edge.requests import Fields, Integer, Line, Nullable, body_of, endpoints, service
from edge.responses import data
from schemas.times import iso6, iso6_or_none

_PATH = "/api/webhooks"
_MAX_WATERMARK = 2**63 - 1


class WebhookBody(Fields):
    url: Annotated[Line, Field(min_length=1, max_length=2048)]
    name: Annotated[Line, Field(max_length=100)] = ""


class ReplayBody(Fields):
    after: Nullable[Annotated[Integer, Field(ge=0, le=_MAX_WATERMARK)]] = None


async def list_webhooks(request: Request) -> Response:
    user = await require_user(request)
    return data([_described(webhook) for webhook in await service(request, Outlets).list(user.id, "webhook")])


async def create(request: Request) -> Response:
    """The secret is told here and nowhere else."""
    user = await require_user(request)
    body = await body_of(request, WebhookBody)
    webhook_id, secret = await service(request, Outlets).add_webhook(user.id, body.url, body.name)
    return data({"id": webhook_id, "url": body.url, "name": body.name, "secret": secret}, status=201)


async def remove(request: Request) -> Response:
    user = await require_user(request)
    await service(request, Outlets).remove(user.id, "webhook", request.path_params["webhook_id"])
    return data({"deleted": True})


async def test(request: Request) -> Response:
    user = await require_user(request)
    message_id = await service(request, Outlets).test(user.id, request.path_params["webhook_id"])
    return data({"messageId": message_id}, status=202)


async def replay(request: Request) -> Response:
    user = await require_user(request)
    body = await body_of(request, ReplayBody)
    cursor = await service(request, Outlets).replay(user.id, request.path_params["webhook_id"], body.after)
    return data({"cursor": cursor}, status=202)


async def deliveries(request: Request) -> Response:
    user = await require_user(request)
    attempts = await service(request, Outlets).attempts(user.id, request.path_params["webhook_id"])
    return data([_attempted(attempt) for attempt in attempts])


def _described(webhook: Outlet) -> dict[str, Any]:
    return {
        "id": webhook.id,
        "url": webhook.address,
        "name": webhook.name,
        "createdAt": iso6(webhook.created_at),
        "cursor": webhook.cursor,
        "head": webhook.head,
        "failures": webhook.failures,
        "lastError": webhook.last_error,
        "lastDeliveredAt": iso6_or_none(webhook.last_delivered_at),
        "nextAttemptAt": iso6(webhook.next_attempt_at) if webhook.failures and not webhook.paused_at else None,
        "pausedAt": iso6_or_none(webhook.paused_at),
    }


def _attempted(attempt: Attempt) -> dict[str, Any]:
    return {
        "messageId": attempt.message_id,
        "watermark": attempt.watermark,
        "attempt": attempt.attempt,
        "attemptedAt": iso6(attempt.attempted_at),
        "durationMs": attempt.duration_ms,
        "status": attempt.status,
        "error": attempt.error,
    }


routes = [
    endpoints(_PATH, GET=list_webhooks, POST=create),
    endpoints(_PATH + "/{webhook_id:int}", DELETE=remove),
    endpoints(_PATH + "/{webhook_id:int}/test", POST=test),
    endpoints(_PATH + "/{webhook_id:int}/replay", POST=replay),
    endpoints(_PATH + "/{webhook_id:int}/deliveries", GET=deliveries),
]
