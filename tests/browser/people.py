"""People who signed in to the console: the cookies that their browser holds, and a token for what tests do for them."""

import random
from collections.abc import Mapping
from dataclasses import dataclass

import httpx

from tests.e2e.device import decoded

CSRF_COOKIE = "XSRF-TOKEN"
TOKEN = "laptop"
"""What the one that everybody has is called."""


@dataclass(frozen=True, eq=False)
class Person:
    """`cookies` are those of one session; signing out anywhere ends it for every page of this person."""

    email: str
    user_id: str
    token: str
    cookies: Mapping[str, str]


async def sign_in(url: str, email: str) -> Person:
    """By the code that the local stack's mailbox keeps; each time from another loopback address, which limits count."""
    async with httpx.AsyncClient(base_url=url, transport=_from_elsewhere(), headers={"referer": url}) as http:
        decoded(await http.post("/api/auth/email", json={"email": email}))
        [mail, *_] = decoded(await http.get("/dev/mailbox", params={"to": email}, headers={"accept": _JSON}))["data"]
        signed_in = decoded(await http.post("/api/auth/verify", json={"code": mail["code"]}))
        headers = {"x-xsrf-token": http.cookies[CSRF_COOKIE]}
        made = decoded(await http.post("/api/tokens", json={"name": TOKEN}, headers=headers))
        return Person(email, signed_in["userId"], made["data"]["token"], dict(http.cookies))


_JSON = "application/json"


def _from_elsewhere() -> httpx.AsyncHTTPTransport:
    return httpx.AsyncHTTPTransport(local_address=f"127.{random.randrange(1, 255)}.{random.randrange(256)}.1")
