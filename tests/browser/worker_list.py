"""The list of workers as somebody looks at it, and somebody else who makes things happen there."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import islice
from typing import Any

from oa_client.backoff import repeated
from oa_client.client import Client
from playwright.async_api import Page, expect

from tests.browser.people import Person

_WITHIN_MS = 90_000
"""An edge that was killed takes its time on a busy machine, and a page waits longer after each attempt."""

NOON = datetime(2026, 2, 25, 12, 0, tzinfo=UTC)
_LIST = "() => [...document.querySelectorAll('[data-group]')].map((group) => group.outerHTML).join('')"
_SETTLED = "(name) => document.getElementById('connection').dataset.phase === name"


class WorkerList:
    """A tab with the page; `requests` are those for workers since it was opened."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.requests: list[str] = []
        page.on("request", lambda request: self._asked(request.method, request.url))

    async def open(self, address: str = "/") -> "WorkerList":
        await self.page.goto(address)
        await self.is_live()
        return self

    async def is_live(self) -> None:
        await self.phase("live")

    async def phase(self, name: str) -> None:
        await self.page.wait_for_function(_SETTLED, arg=name, timeout=_WITHIN_MS)

    async def names(self, group: str) -> list[str]:
        return await self.page.locator(f"[data-group={group}] .row-title > span:first-child").all_inner_texts()

    def row(self, worker_id: str) -> Any:
        link = f"a[href='/workers/{worker_id.replace(':', '%3A')}']"
        return self.page.locator(".worker").filter(has=self.page.locator(link))

    async def says(self, worker_id: str, text: str) -> None:
        await expect(self.row(worker_id)).to_contain_text(text, timeout=_WITHIN_MS)

    async def has(self, count: int) -> None:
        await expect(self.page.locator(".worker")).to_have_count(count, timeout=_WITHIN_MS)

    async def content(self) -> str:
        """Everything that the list is made of, byte by byte."""
        content: str = await self.page.evaluate(_LIST)
        return content

    async def stands_still(self) -> None:
        """No clock moves the words, so that two pages that know the same say the same."""
        await self.page.clock.set_fixed_time(NOON)

    def _asked(self, method: str, url: str) -> None:
        if "/api/runtime/codex/workers" in url:
            self.requests.append(f"{method} {url.partition('/api/runtime/codex')[2]}")


@dataclass(frozen=True)
class Fleet:
    """Workers of somebody, and what their programs tell."""

    client: Client

    async def start(self, worker_id: str, folder: str = "~/src") -> None:
        """Which may be asked for again when no answer came."""
        created = partial(self.client.create_worker, worker_id, adapter="desktop_bridge", workspace_ref=folder)
        await repeated(created, islice(self.client.pauses(), 3))

    async def beat(self, worker_id: str, what: str | None = None) -> None:
        """A heartbeat; `what` it has been busy with for a minute."""
        since = (datetime.now(UTC) - timedelta(minutes=1)).isoformat()
        busy = what and {"what": what, "since": since, "thread_id": "t", "turn_id": "u"}
        await self._tell(worker_id, "worker.heartbeat", {"accepts_requests": True, "busy": busy})

    async def say(self, worker_id: str, text: str) -> None:
        said = {"item": {"type": "agentMessage", "id": "i", "text": text}}
        await self._tell(worker_id, "worker.event", {"method": "item/completed", "params": said})

    async def ask(self, worker_id: str, approval_id: str) -> None:
        asked = {"approval_id": approval_id, "thread_id": "t", "turn_id": "u", "item_id": "i", "kind": "command"}
        expires_at = (datetime.now(UTC) + timedelta(minutes=9)).isoformat().replace("+00:00", "Z")
        more = {"choices": ["accept", "deny"], "expires_at": expires_at, "command": "make", "cwd": "/src"}
        await self.client.post_event(worker_id, "worker.approval.requested", asked | more)

    async def _tell(self, worker_id: str, kind: str, payload: dict[str, Any]) -> None:
        await self.client.post_event(worker_id, kind, {"source": "autopilot-desktop", **payload})


@asynccontextmanager
async def fleet_of(url: str, person: Person) -> AsyncIterator[Fleet]:
    async with Client(url, person.token) as client:
        yield Fleet(client)
