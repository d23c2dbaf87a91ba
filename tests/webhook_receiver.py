"""Somebody's program that webhooks are sent to: it verifies as docs/notifications.md says, and may misbehave."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ops.stack import ports
from tests.fake_edge import serving_app

DOCUMENT = Path(__file__).parents[1] / "docs" / "notifications.md"


def documented() -> Callable[[str, Any, bytes], None]:
    """The very lines that the document tells people to copy."""
    code = re.search(r"```python\n(.*?)```", DOCUMENT.read_text(encoding="utf-8"), re.DOTALL)
    assert code
    told: dict[str, Any] = {}
    exec(code[1], told)
    verify: Callable[[str, Any, bytes], None] = told["verify"]
    return verify


@dataclass
class Receiver:
    """`statuses` are answered first, one a request, then 200. `before` is called with each message."""

    url: str = ""
    secret: str = ""
    statuses: list[int] = field(default_factory=list)
    taken: list[dict[str, Any]] = field(default_factory=list)
    seen: list[tuple[str, int]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    before: Callable[[dict[str, Any]], None] = lambda _: None
    held: asyncio.Event | None = None

    async def receive(self, request: Request) -> Response:
        body = await request.body()
        if self.secret:
            documented()(self.secret, request.headers, body)
        message = msgspec.json.decode(body) if self.secret else {"id": ""}
        self.before(message)
        if self.held:
            await self.held.wait()
        status = self.statuses.pop(0) if self.statuses else 200
        self.seen.append((message["id"], status))
        self.headers.append(dict(request.headers))
        self.bodies.append(body)
        if 200 <= status < 300:
            self.taken.append(message)
        return Response(status_code=status, headers={"location": "/elsewhere"} if 300 <= status < 400 else None)

    def names(self) -> list[str]:
        """Of the notifications that were taken, in order."""
        return [message["notification"]["notification_id"] for message in self.taken]


@asynccontextmanager
async def receiving(receiver: Receiver | None = None) -> AsyncIterator[Receiver]:
    receiver = receiver or Receiver()
    app = Starlette(routes=[Route("/{path:path}", receiver.receive, methods=["POST"])])
    async with serving_app(app, ports.free()[0]) as url:
        receiver.url = f"{url}/hook"
        yield receiver
