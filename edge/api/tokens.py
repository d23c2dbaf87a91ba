"""Personal access tokens: list, make, revoke (edge §2.2)."""

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Annotated, Any

from pydantic import BeforeValidator, Field
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from edge.auth.authentication import require_caller
from edge.auth.tokens import ALL_ABILITIES, TokenRow, Tokens
from edge.requests import Fields, Line, Nullable, body_of, endpoints, service
from edge.responses import data
from schemas.times import iso6, iso6_or_none


def _moment(value: Any) -> Any:
    """ISO 8601 or RFC 5322; without a zone it is UTC."""
    if value is None:
        return None
    if not isinstance(value, str):
        raise ValueError("must be a date")
    for read in (datetime.fromisoformat, parsedate_to_datetime):
        try:
            moment = read(value.strip())
            return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
        except (ValueError, OverflowError):
            continue
    raise ValueError("must be a date")


class TokenBody(Fields):
    name: Annotated[Line, Field(min_length=1, max_length=100)]
    abilities: Nullable[list[Annotated[Line, Field(max_length=100)]]] = None
    expires_at: Nullable[Annotated[datetime, BeforeValidator(_moment)]] = None


async def list_tokens(request: Request) -> Response:
    caller = await require_caller(request)
    rows = await service(request, Tokens).list(caller.user.id)
    return data([_described(row, caller.token_id) for row in rows])


async def create_token(request: Request) -> Response:
    caller = await require_caller(request)
    body = await body_of(request, TokenBody)
    abilities = [ability for ability in body.abilities or () if ability] or list(ALL_ABILITIES)
    text = await service(request, Tokens).create(caller.user.id, body.name, abilities, body.expires_at)
    answer = {
        "token": text,
        "tokenableId": caller.user.id,
        "name": body.name,
        "abilities": abilities,
        "expiresAt": iso6_or_none(body.expires_at),
    }
    return data(answer, status=201)


async def revoke_current(request: Request) -> Response:
    caller = await require_caller(request)
    revoked = caller.token_id is not None and await service(request, Tokens).revoke(caller.user.id, caller.token_id)
    return data({"deleted": revoked})


async def revoke_token(request: Request) -> Response:
    caller = await require_caller(request)
    if not await service(request, Tokens).revoke(caller.user.id, request.path_params["token_id"]):
        raise HTTPException(404)
    return data({"deleted": True})


async def revoke_all(request: Request) -> Response:
    caller = await require_caller(request)
    return data({"deletedCount": await service(request, Tokens).revoke_all(caller.user.id)})


def _described(row: TokenRow, current_id: int | None) -> dict[str, object]:
    return {
        "id": row.id,
        "name": row.name,
        "abilities": row.abilities,
        "lastUsedAt": iso6_or_none(row.last_used_at),
        "expiresAt": iso6_or_none(row.expires_at),
        "createdAt": iso6(row.created_at),
        "isCurrent": row.id == current_id,
    }


routes = [
    endpoints("/api/tokens", GET=list_tokens, POST=create_token, DELETE=revoke_all),
    endpoints("/api/tokens/current", DELETE=revoke_current),
    endpoints("/api/tokens/{token_id:int}", DELETE=revoke_token),
]
