"""What an owner should look at now: the snapshot of `runtime.notifications` (docs/notifications.md)."""

from starlette.requests import Request
from starlette.responses import Response

from edge.auth.authentication import require_user
from edge.outlets import Outlets
from edge.requests import endpoints, service
from edge.responses import data


async def list_open(request: Request) -> Response:
    user = await require_user(request)
    return data(await service(request, Outlets).waiting(user.id))


routes = [endpoints("/api/notifications", GET=list_open)]
