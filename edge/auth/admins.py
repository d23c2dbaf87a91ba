"""Operators of this installation: users whose address is on the allow-list (edge §0)."""

from collections.abc import Collection

from starlette.requests import Request

from edge.auth.accounts import User
from edge.auth.authentication import require_user
from edge.errors import Denied
from edge.requests import service


class Admins:
    """The allow-list; case makes no difference."""

    def __init__(self, emails: Collection[str]) -> None:
        self._emails = frozenset(email.lower() for email in emails)

    def __contains__(self, user: User) -> bool:
        return user.email.lower() in self._emails


async def require_admin(request: Request) -> User:
    """The first line of every `admin` endpoint. Raises Unauthenticated, Denied."""
    user = await require_user(request)
    if user not in service(request, Admins):
        raise Denied("Forbidden")
    return user
