"""The socket's two addresses: who may open one, and what everybody else is told (sync §2, §4)."""

from collections.abc import Awaitable, Callable
from typing import Final
from urllib.parse import urlsplit

from starlette.datastructures import Headers, QueryParams
from starlette.responses import Response
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket

from edge.auth.sync_claims import InvalidToken, SyncClaims
from edge.sync.framing import Framing, framing_of

PATHS: Final = ("/sync/socket/websocket", "/socket/websocket")

Verify = Callable[[str], SyncClaims]
Serve = Callable[[WebSocket, SyncClaims, Framing], Awaitable[None]]


class Endpoint:
    """An ASGI application for WebSocket and plain HTTP requests on the socket's addresses."""

    def __init__(self, verify: Verify, public_host: str | None, serve: Serve) -> None:
        self._verify = verify
        self._public_host = public_host
        self._serve = serve

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await self._plain(scope)(scope, receive, send)
            return
        websocket = WebSocket(scope, receive, send)
        if (admitted := self._admit(scope)) is None:
            await websocket.close()
        else:
            await self._serve(websocket, *admitted)

    def _plain(self, scope: Scope) -> Response:
        if scope["method"] != "GET":
            return Response(status_code=400)
        if self._admit(scope) is None:
            return Response(status_code=403)
        return Response("this address speaks WebSocket", 400, media_type="text/plain")

    def _admit(self, scope: Scope) -> tuple[SyncClaims, Framing] | None:
        """No reason is given to whoever is not admitted (sync §4.3)."""
        query = QueryParams(scope["query_string"])
        tokens, framing = query.getlist("token"), framing_of(query.get("vsn"))
        if len(tokens) != 1 or framing is None or not self._is_origin_allowed(Headers(scope=scope).get("origin")):
            return None
        try:
            return self._verify(tokens[0]), framing
        except InvalidToken:
            return None

    def _is_origin_allowed(self, origin: str | None) -> bool:
        """Native clients send none, React Native the socket's own, browsers the page's (sync §4.3)."""
        if origin is None or self._public_host is None:
            return True
        try:
            return urlsplit(origin).hostname == self._public_host.lower()
        except ValueError:
            return False


def routes(endpoint: Endpoint) -> list[BaseRoute]:
    return [route(path, endpoint) for path in PATHS for route in (WebSocketRoute, Route)]
