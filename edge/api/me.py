"""The caller's own account (edge §2.3)."""

from starlette.requests import Request
from starlette.responses import Response

from edge.auth.authentication import require_user
from edge.requests import endpoints
from edge.responses import data
from schemas.times import iso6


async def me(request: Request) -> Response:
    """There are no chat threads yet, so `chat_limit` limits nothing."""
    user = await require_user(request)
    account = {
        "id": user.id,
        "name": user.name,
        "email": user.email,
        "avatar": user.avatar,
        "createdAt": iso6(user.created_at),
        "updatedAt": iso6(user.updated_at),
    }
    return data({"user": account, "chatThreads": []})


routes = [endpoints("/api/me", GET=me)]
