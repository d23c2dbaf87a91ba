"""What a page costs before it shows anything, in an empty browser."""

from typing import Final
from urllib.parse import urlsplit

import pytest
from playwright.async_api import Page as Tab

from edge.console.rendering import Page
from tests.browser.content import Content
from tests.browser.pages import SHOWN, visit
from tests.browser.people import Person
from tests.browser.visits import Visits
from tests.conftest import Say

MOST_BYTES: Final = 150 * 1024
"""Issue 7 point 7."""
_CONTENT: Final = ("/api/", "/sync/")
_PAINTED: Final = "() => performance.getEntriesByName('first-contentful-paint')[0]?.startTime"


class Traffic:
    """Bytes as they were sent, headers too, by path."""

    def __init__(self) -> None:
        self.bytes: dict[str, int] = {}
        self._paths: dict[str, str] = {}

    async def of(self, tab: Tab) -> None:
        devtools = await tab.context.new_cdp_session(tab)
        devtools.on("Network.requestWillBeSent", self._asked)
        devtools.on("Network.loadingFinished", self._came)
        await devtools.send("Network.enable")

    def _asked(self, told: dict[str, dict[str, str]]) -> None:
        self._paths[str(told["requestId"])] = urlsplit(told["request"]["url"]).path

    def _came(self, told: dict[str, float]) -> None:
        path = self._paths[str(told["requestId"])]
        self.bytes[path] = self.bytes.get(path, 0) + round(told["encodedDataLength"])


@pytest.mark.parametrize("page", SHOWN, ids=lambda page: page.name)
async def test_a_page_is_light_before_its_content_comes(
    page: Page, visits: Visits, ada: Person, content: Content, say: Say
) -> None:
    tab = await visits.page(None if page.path == "/login" else ada)
    traffic = Traffic()
    await traffic.of(tab)
    await visit(tab, page, content.ids)
    before = {path: size for path, size in traffic.bytes.items() if not path.startswith(_CONTENT)}
    assert before
    say(f"{page.name}: {sum(before.values()) / 1024:.0f} KiB, painted after {await tab.evaluate(_PAINTED):.0f} ms")
    assert sum(before.values()) <= MOST_BYTES, sorted(before.items(), key=lambda item: -item[1])
