"""Requests of other services: token, claims, nonce and principal headers of the signed API (runtime §2.1–2.3)."""

import re
from dataclasses import dataclass
from typing import Any, NamedTuple

from starlette.requests import Request

from edge.auth import request_token
from edge.auth.clock import Clock, unix_seconds
from edge.auth.nonces import Nonces
from edge.auth.principals import Principal
from edge.auth.request_token import Claims, Context, RequestTokenSettings
from edge.errors import Invalid, NotAcceptable, Unauthenticated
from edge.requests import MAX_BODY_BYTES, document_of, read_body, service

_INTEGER = re.compile(r"-?[0-9]{1,18}", re.ASCII)
_JSON_RANGES = {"*/*", "application/*", "application/json"}


@dataclass(frozen=True)
class RequestTokens:
    """What checking takes; one of the app's services."""

    settings: RequestTokenSettings
    nonces: Nonces
    clock: Clock


class Signed(NamedTuple):
    """A genuine request, and what it says that its token had to say too."""

    claims: Claims
    context: Context

    @property
    def user_id(self) -> int | None:
        return self.context.user_id

    @property
    def guest_scope(self) -> str | None:
        return self.context.guest_scope

    def run_principal(self) -> Principal:
        """A user id of any value or a guest scope, else 401 (runtime §2.3)."""
        if self.user_id is None and not self.guest_scope:
            raise Unauthenticated("The request names no principal.")
        return Principal(self.user_id, self.guest_scope)

    def worker_principal(self) -> Principal:
        """User id above 0 or a guest scope, else 401 (runtime §2.3)."""
        if self.user_id is not None and self.user_id > 0:
            return Principal(user_id=self.user_id)
        if self.guest_scope:
            return Principal(guest_scope=self.guest_scope)
        raise Unauthenticated("The request names no principal.")


async def signed(request: Request, *, any_accept: bool = False, limit: int = MAX_BODY_BYTES) -> Signed:
    """The first line of every signed endpoint; consumes the nonce. `any_accept` is for event streams.

    Raises NotAcceptable, BodyTooLarge, Unauthenticated, Denied. The body is read but not judged: validation comes
    after authentication.
    """
    if not any_accept:
        _require_json(request)
    tokens = service(request, RequestTokens)
    fields = await _top_level(request, limit)
    user_id, guest_scope = _user_id(request), request.headers.get("x-oa-guest-scope") or None
    context = _context(request, fields, await read_body(request, limit), user_id, guest_scope)
    token = request.headers.get(request_token.HEADER)
    claims = request_token.verify(token, context, tokens.settings, unix_seconds(tokens.clock))
    if not await tokens.nonces.consume(claims.nonce, claims.exp):
        raise Unauthenticated("The request token was used before.")
    return Signed(claims, context)


def _require_json(request: Request) -> None:
    accept = request.headers.get("accept")
    if accept is None or accept in _JSON_RANGES:
        return
    ranges = {part.partition(";")[0].strip().lower() for part in accept.split(",")}
    if not ranges & (_JSON_RANGES | {""}):
        raise NotAcceptable("This route answers application/json.")


def _user_id(request: Request) -> int | None:
    text = request.headers.get("x-oa-user-id", "").strip()
    return int(text) if _INTEGER.fullmatch(text) else None


async def _top_level(request: Request, limit: int) -> dict[str, Any]:
    """Fields that a token may bind; a body that cannot be read binds nothing and is refused later."""
    try:
        document = await document_of(request, limit)
    except Invalid:
        document = {}
    fields = document if isinstance(document, dict) else {}
    return {**fields, **request.query_params} if request.scope["query_string"] else fields


def _context(
    request: Request, fields: dict[str, Any], body: bytes, user_id: int | None, guest_scope: str | None
) -> Context:
    return Context(
        user_id=user_id,
        guest_scope=guest_scope,
        run_id=request.path_params.get("run_id") or _text(fields.get("run_id")),
        thread_id=_text(fields.get("thread_id")),
        worker_id=request.path_params.get("worker_id") or _text(fields.get("worker_id")),
        body=body,
        body_hash=request.headers.get(request_token.BODY_HASH_HEADER),
    )


def _text(value: Any) -> str | None:
    """A value of another type is no identity: the route refuses it (DEC-19)."""
    return value if isinstance(value, str) else None
