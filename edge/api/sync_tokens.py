"""The two mints of tokens for the sync socket (edge §2.4–2.5)."""

from typing import Annotated, Literal

from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response

from edge import metrics
from edge.auth.authentication import require_user
from edge.auth.services import SyncTokens
from edge.auth.sync_tokens import InvalidScope, Unavailable, described, granted_scopes, mint, normalised
from edge.requests import Fields, Line, Nullable, body_of, endpoints, service
from edge.responses import coded, data
from edge.sync.topics import Positions

Scope = Annotated[Line, Field(max_length=120)]


class SyncTokenBody(Fields):
    scopes: Nullable[list[Scope]] = None


class KhalaTokenBody(Fields):
    scope: Nullable[list[Scope]] = None
    workspace_id: Nullable[Annotated[Line, Field(max_length=120)]] = None
    role: Nullable[Literal["member", "admin", "owner"]] = None


async def mint_sync_token(request: Request) -> Response:
    user = await require_user(request)
    body = await body_of(request, SyncTokenBody)
    tokens = service(request, SyncTokens)
    try:
        scopes = granted_scopes(body.scopes or (), tokens.sync)
        minted = mint(tokens.sync, user.id, scopes, tokens.clock(), tokens.entropy.randbytes(12).hex(), {})
    except InvalidScope as error:
        return coded(422, "invalid_scope", str(error))
    except Unavailable as error:
        metrics.TOKEN_MINTS.labels("sync", "unavailable").inc()
        return coded(503, "sync_token_unavailable", str(error))
    metrics.TOKEN_MINTS.labels("sync", "minted").inc()
    more = {"org_id": minted.org_id, "scopes": scopes, "kid": tokens.sync.key_id}
    return data(described(tokens.sync, minted) | more | {"resume_after": service(request, Positions).of(scopes)})


async def mint_khala_token(request: Request) -> Response:
    """Also a token for the socket (D11); nothing trusts the role in it (D8)."""
    user = await require_user(request)
    body = await body_of(request, KhalaTokenBody)
    tokens = service(request, SyncTokens)
    scope = normalised(body.scope or ())
    given = {"scope": scope, "oa_workspace_id": body.workspace_id, "oa_role": body.role}
    more = {name: value for name, value in given.items() if value}
    scopes, jti = scope or tokens.khala.default_scopes, tokens.entropy.randbytes(12).hex()
    try:
        minted = mint(tokens.khala, user.id, scopes, tokens.clock(), jti, more)
    except Unavailable as error:
        metrics.TOKEN_MINTS.labels("khala", "unavailable").inc()
        return coded(503, "khala_token_unavailable", str(error))
    metrics.TOKEN_MINTS.labels("khala", "minted").inc()
    answer = {"scope": scope, "workspace_id": body.workspace_id, "role": body.role}
    return data(described(tokens.khala, minted) | answer)


routes = [
    endpoints("/api/sync/token", POST=mint_sync_token),
    endpoints("/api/khala/token", POST=mint_khala_token),
]
