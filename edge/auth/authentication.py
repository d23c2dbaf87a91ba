"""Who calls a public route: bearer token, or cookie session on first-party pages (edge §1.6)."""

from starlette.requests import Request

from edge.auth.accounts import Caller, User
from edge.auth.sessions import COOKIE, Sessions, has_csrf_token
from edge.auth.tokens import Tokens
from edge.errors import Denied, Unauthenticated
from edge.requests import service

SAFE_METHODS = ("GET", "HEAD", "OPTIONS")


async def require_caller(request: Request) -> Caller:
    """The first line of every `user` endpoint; the session wins when both are there. Raises Unauthenticated, Denied."""
    caller = await _session_caller(request) or await _bearer_caller(request)
    if caller is None:
        raise Unauthenticated()
    return caller


async def require_user(request: Request) -> User:
    return (await require_caller(request)).user


async def _session_caller(request: Request) -> Caller | None:
    sessions = service(request, Sessions)
    if not sessions.is_first_party(request):
        return None
    session = await sessions.find(request.cookies.get(COOKIE))
    if session is None or session.user is None:
        return None
    if request.method not in SAFE_METHODS and not has_csrf_token(request, session.id):
        raise Denied("CSRF token mismatch.")
    return Caller(session.user)


async def _bearer_caller(request: Request) -> Caller | None:
    scheme, _, text = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not text.strip():
        return None
    return await service(request, Tokens).caller(text.strip())
