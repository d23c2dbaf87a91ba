"""`make screenshots`: every page at three widths in both themes, as a person sees it who has content."""

import asyncio
import shutil
import tempfile
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Final

from tests import local_stack
from tests.browser.chromium import chromium, launched
from tests.browser.content import Content, seeded
from tests.browser.pages import SHOWN, looked, visit
from tests.browser.people import Person, sign_in
from tests.browser.visits import Theme, Visits, Width
from tests.local_stack import Operator

FOLDER: Final = Path("build") / "screenshots"
LOCAL: Final = "you@example.test"
_WIDTHS: Final[tuple[Width, ...]] = (360, 768, 1440)
_THEMES: Final[tuple[Theme, ...]] = ("light", "dark")


def main() -> None:
    shutil.rmtree(FOLDER, ignore_errors=True)
    with local_stack.operator(23_990) as stack:
        up = stack.up("--worker", CODEX_HOME=str(stack.data / "no-account"))
        assert up.returncode == 0, up.stdout + up.stderr
        asyncio.run(take(stack, FOLDER))
    print(f"{len(list(FOLDER.iterdir()))} pictures in {FOLDER}")


async def take(stack: Operator, folder: Path) -> None:
    """`<page>-<width>-<theme>.png`."""
    url = f"http://127.0.0.1:{stack.port}"
    ada = await sign_in(url, LOCAL)
    async with AsyncExitStack() as closing:
        place = closing.enter_context(tempfile.TemporaryDirectory(prefix="oa-screenshots-"))
        content = await closing.enter_async_context(seeded(stack, ada, Path(place), "eu", "harbour"))
        browser = await closing.enter_async_context(launched(chromium()))
        await _pictures(Visits(browser, url, closing), ada, content, folder)


async def _pictures(visits: Visits, ada: Person, content: Content, folder: Path) -> None:
    for page in SHOWN:
        for width in _WIDTHS:
            tab = await visits.page(None if page.path == "/login" else ada, width=width, reduced_motion="reduce")
            await visit(tab, page, content.ids)
            for theme in _THEMES:
                await looked(tab, width, theme)
                await tab.screenshot(path=folder / f"{page.name}-{width}-{theme}.png")
            await tab.context.close()


if __name__ == "__main__":
    main()
