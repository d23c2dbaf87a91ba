"""Signing out everywhere: every cookie session of the caller ends, this one too; personal tokens stay (ADR 15)."""

from starlette.requests import Request
from starlette.responses import Response

from edge.auth.authentication import require_user
from edge.auth.sessions import Sessions
from edge.requests import endpoints, service
from edge.responses import data


async def end_all(request: Request) -> Response:
    user, sessions = await require_user(request), service(request, Sessions)
    response = data({"deletedCount": await sessions.close_all(user.id)})
    sessions.clear_cookies(response)
    return response


routes = [endpoints("/api/sessions", DELETE=end_all)]
