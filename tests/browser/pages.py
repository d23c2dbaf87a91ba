"""Every page of the console's table, and where a person finds it who has content."""

import re
from collections.abc import Mapping
from typing import Final

from playwright.async_api import Page as Tab

from edge.console.pages import LOGIN, PAGES
from edge.console.rendering import Page
from tests.browser.visits import HEIGHTS, Theme, Width

SHOWN: Final = (LOGIN, *PAGES)
_PARAMETER: Final = re.compile(r"\{[^}]+\}")
_SETTLED: Final = "() => document.readyState === 'complete' && !document.querySelector('[aria-busy=true]')"


def address(page: Page, ids: Mapping[str, str]) -> str:
    """Raises KeyError for a page about something of which nothing was made."""
    return _PARAMETER.sub(lambda _: ids[page.name], page.path)


async def visit(tab: Tab, page: Page, ids: Mapping[str, str]) -> None:
    """Until what the page asks for has come and stands there."""
    await tab.goto(address(page, ids), wait_until="networkidle")
    await tab.wait_for_function(_SETTLED)


async def looked(tab: Tab, width: Width, theme: Theme) -> None:
    """The page as it is on such a screen, once it has been painted so."""
    await tab.set_viewport_size({"width": width, "height": HEIGHTS[width]})
    await tab.emulate_media(color_scheme=theme)
    await tab.evaluate("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
