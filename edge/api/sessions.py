"""Signing out everywhere: each browser of the caller, this one too, is signed out and told nothing more (ADR 15)."""

from starlette.requests import Request
from starlette.responses import Response

from edge.auth.authentication import require_user
from edge.auth.sessions import Sessions
from edge.outlets import Outlets
from edge.requests import endpoints, service
from edge.responses import data


async def end_all(request: Request) -> Response:
    """Personal tokens stay."""
    user, sessions = await require_user(request), service(request, Sessions)
    await service(request, Outlets).remove_all(user.id, "push")
    response = data({"deletedCount": await sessions.close_all(user.id)})
    sessions.clear_cookies(response)
    return response


routes = [endpoints("/api/sessions", DELETE=end_all)]
