"""What keeps people from using a page: what axe-core finds, what sticks out, and where a keyboard does not get."""

from functools import cache
from pathlib import Path
from typing import Any

from playwright.async_api import Page

AXE = Path(__file__).parent / "axe" / "node_modules" / "axe-core" / "axe.min.js"
_STEPS = 300


@cache
def _script(path: Path) -> str:
    return path.read_text(encoding="utf-8")


async def violations(page: Page) -> list[str]:
    """Of every rule that axe-core has on by default."""
    if await page.evaluate("() => typeof axe === 'undefined'"):
        await page.evaluate(_script(AXE))
    found: list[dict[str, Any]] = await page.evaluate("() => axe.run().then(result => result.violations)")
    return [f"{one['id']}: {node['html'][:200]}: {node['failureSummary']}" for one in found for node in one["nodes"]]


async def overflow(page: Page) -> list[str]:
    """What is wider than the window, when the page as a whole can be scrolled sideways."""
    found: list[str] = await page.evaluate("""() => {
        const width = document.documentElement.clientWidth;
        if (document.documentElement.scrollWidth <= width) return [];
        const wide = [...document.body.querySelectorAll("*")].filter(one => one.getBoundingClientRect().right > width);
        return ["the page", ...wide.map(one => one.outerHTML.slice(0, 120))];
    }""")
    return found


class Walk:
    """Through a page by the Tab key, from its start to where it begins again."""

    def __init__(self, page: Page) -> None:
        self._page = page
        self.reached: dict[str, bool] = {}
        """What had the focus, and whether that could be seen."""

    async def unreached(self) -> list[str]:
        """What a pointer could use, and Tab did not come by."""
        await self._page.evaluate(_script(Path(__file__).parent / "walk.js"))
        there: list[str] = await self._page.evaluate("() => walk.begin()")
        for _ in range(_STEPS):
            await self._page.keyboard.press("Tab")
            label, seen = await self._page.evaluate("() => walk.focused()")
            if label in self.reached:
                break
            if label:
                self.reached[label] = seen
        return [label for label in there if label not in self.reached]

    @property
    def unseen(self) -> list[str]:
        return [label for label, seen in self.reached.items() if not seen]
