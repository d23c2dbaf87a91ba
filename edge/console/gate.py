"""Who may see a page: whoever has a signed-in session; everybody else signs in and comes back (ADR 15)."""

import re
from typing import Final
from urllib.parse import quote

from starlette.requests import Request

from edge.auth.accounts import User
from edge.auth.sessions import COOKIE, Sessions
from edge.requests import service

HOME: Final = "/"
_LOCAL: Final = re.compile(r"/(?![/\\])[^\\\x00-\x20\x7f]*")
"""Browsers read a backslash as a slash, and leave out some control characters: either could name another host."""


async def session_user(request: Request) -> User | None:
    """A page is a navigation, which has no `Origin`; that the cookie is `SameSite=Lax` is enough to read."""
    session = await service(request, Sessions).find(request.cookies.get(COOKIE))
    return session.user if session else None


def login_address(request: Request) -> str:
    """Where to sign in, and to come back from to what was asked for."""
    asked = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    return "/login" if asked == HOME else f"/login?then={quote(asked, safe='')}"


def local_path(text: str | None) -> str:
    """Where to go on after signing in: a page of ours, whatever the address said."""
    return text if text and _LOCAL.fullmatch(text) else HOME
