"""Pages of one test, watched: whatever a page complains of, or asks of anybody but the console, fails the test."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, Final, Literal
from urllib.parse import urlsplit

from playwright.async_api import Browser, BrowserContext, ConsoleMessage, Page, Request, Route, WebError, WebSocket

from tests.browser.people import Person

Theme = Literal["light", "dark"]
Width = Literal[360, 768, 1280, 1440]
HEIGHTS: Final[dict[Width, int]] = {360: 740, 768: 1024, 1280: 800, 1440: 900}
WITHIN_MS = 30_000
_LOCAL_SCHEMES = ("data", "blob", "about", "chrome-error")


class Watch:
    """What pages did that no page may do."""

    def __init__(self, console_url: str) -> None:
        self._hosts = {urlsplit(console_url).netloc}
        self._complaints: list[str] = []
        self._tolerated: list[str] = []

    def tolerate(self, pattern: str) -> None:
        """For a test that brings it about by itself, as an edge that is killed: a regular expression."""
        self._tolerated.append(pattern)

    def complaints(self) -> list[str]:
        return [text for text in self._complaints if not any(re.search(one, text) for one in self._tolerated)]

    def over(self, context: BrowserContext) -> None:
        context.on("console", self._console)
        context.on("weberror", self._error)
        context.on("request", self._request)
        context.on("page", self._page)

    def _console(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            where = message.location
            self._complaints.append(f"console: {message.text} ({where['url']}:{where['lineNumber']})")

    def _error(self, error: WebError) -> None:
        self._complaints.append(f"uncaught: {error.error}")

    def _page(self, page: Page) -> None:
        page.on("websocket", self._socket)
        page.on("crash", lambda _: self._complaints.append(f"crashed: {page.url}"))

    def _request(self, request: Request) -> None:
        self._asked(request.url)

    def _socket(self, socket: WebSocket) -> None:
        self._asked(socket.url)

    def _asked(self, url: str) -> None:
        address = urlsplit(url)
        if address.scheme not in _LOCAL_SCHEMES and address.netloc not in self._hosts:
            self._complaints.append(f"third party: {url}")


class Visits:
    """Opens pages, each in a context of its own unless `beside` names one; all are closed with the test."""

    def __init__(self, browser: Browser, console_url: str, closing: AsyncExitStack) -> None:
        self._browser = browser
        self._url = console_url
        self._closing = closing
        self.watch = Watch(console_url)

    async def page(
        self,
        person: Person | None = None,
        *,
        width: Width = 1280,
        theme: Theme = "light",
        beside: Page | None = None,
        **options: Any,
    ) -> Page:
        """A new tab that has gone nowhere yet; without a person nobody is signed in."""
        if beside is not None:
            return await beside.context.new_page()
        context = await self._context(width, theme, options)
        if person is not None:
            await context.add_cookies(
                [{"name": name, "value": value, "url": self._url} for name, value in person.cookies.items()]
            )
        return await context.new_page()

    async def _context(self, width: Width, theme: Theme, options: dict[str, Any]) -> BrowserContext:
        context = await self._browser.new_context(
            base_url=self._url,
            viewport={"width": width, "height": HEIGHTS[width]},
            color_scheme=theme,
            has_touch=width < 768,
            **options,
        )
        self._closing.push_async_callback(context.close)
        context.set_default_timeout(WITHIN_MS)
        self.watch.over(context)
        return context


Tolerate = Callable[[str], None]


@asynccontextmanager
async def held_back(page: Page, module: str) -> AsyncIterator[None]:
    """As on a slow network: this file of the console comes when the block is left."""
    ready = asyncio.Event()

    async def answer(route: Route) -> None:
        await ready.wait()
        await route.continue_()

    await page.route(f"**/{module}", answer)
    try:
        yield
    finally:
        ready.set()
