"""Push subscriptions: browsers that an owner allowed to be woken (docs/notifications.md)."""

from typing import Annotated, Any

from pydantic import AfterValidator, Field
from starlette.requests import Request
from starlette.responses import Response

from edge.auth.authentication import require_user
from edge.outlets import Outlet, Outlets
from edge.requests import Fields, Line, body_of, described, endpoints, service
from edge.responses import coded, data
from schemas import compact
from schemas.times import iso6, iso6_or_none

_PATH = "/api/push-subscriptions"
_POINT_BYTES, _SECRET_BYTES = 65, 16


def _key_of(size_bytes: int) -> Any:
    def check(text: str) -> str:
        try:
            fits = len(compact.decode(text)) == size_bytes
        except ValueError:
            fits = False
        if not fits:
            raise ValueError(f"must be {size_bytes} bytes in base64url")
        return text

    return AfterValidator(check)


_BASE64URL = described(r"^[A-Za-z0-9_-]+=*$")


class KeyFields(Fields):
    """What the browser's messages are encrypted with (RFC 8291)."""

    p256dh: Annotated[Line, Field(max_length=120), _key_of(_POINT_BYTES), _BASE64URL]
    auth: Annotated[Line, Field(max_length=60), _key_of(_SECRET_BYTES), _BASE64URL]


class SubscriptionBody(Fields):
    """As `PushSubscription.toJSON()` has it, and how its owner calls the device."""

    endpoint: Annotated[Line, Field(min_length=1, max_length=2048)]
    keys: KeyFields
    name: Annotated[Line, Field(max_length=100)] = ""


async def key(request: Request) -> Response:
    """What `pushManager.subscribe` takes as `applicationServerKey`."""
    await require_user(request)
    if not (push_key := service(request, Outlets).settings.push_key):
        return coded(503, "push_unavailable", "Nothing is pushed here: there is no key.")
    return data({"key": push_key})


async def list_subscriptions(request: Request) -> Response:
    user = await require_user(request)
    return data([_described(browser) for browser in await service(request, Outlets).list(user.id, "push")])


async def allow(request: Request) -> Response:
    user = await require_user(request)
    body = await body_of(request, SubscriptionBody)
    subscription_id = await service(request, Outlets).allow(user.id, body.endpoint, body.keys.model_dump(), body.name)
    return data({"id": subscription_id}, status=201)


async def forget(request: Request) -> Response:
    user = await require_user(request)
    await service(request, Outlets).remove(user.id, "push", request.path_params["subscription_id"])
    return data({"deleted": True})


async def forget_all(request: Request) -> Response:
    user = await require_user(request)
    return data({"deletedCount": await service(request, Outlets).remove_all(user.id, "push")})


def _described(browser: Outlet) -> dict[str, Any]:
    return {
        "id": browser.id,
        "name": browser.name,
        "createdAt": iso6(browser.created_at),
        "lastDeliveredAt": iso6_or_none(browser.last_delivered_at),
        "lastError": browser.last_error,
    }


routes = [
    endpoints("/api/push/key", GET=key),
    endpoints(_PATH, GET=list_subscriptions, POST=allow, DELETE=forget_all),
    endpoints(_PATH + "/{subscription_id:int}", DELETE=forget),
]
