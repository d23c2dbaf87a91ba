"""Debian's Chromium for the browser lane; `make chromium` fetches it where there is none."""

import os
import shutil
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import NamedTuple

from playwright.async_api import Browser, async_playwright

from tests import debian


class Chromium(NamedTuple):
    program: str
    environment: Mapping[str, str]


def chromium() -> Chromium:
    """The one on the path, else the package's. Raises debian.Missing."""
    if found := shutil.which("chromium"):
        return Chromium(found, dict(os.environ))
    folder = debian.unpacked("chromium")
    return Chromium(str(folder / "usr" / "lib" / "chromium" / "chromium"), debian.environment(folder))


@asynccontextmanager
async def launched(installed: Chromium) -> AsyncIterator[Browser]:
    """Without its sandbox, which root may not have; it sees pages of ours only."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=installed.program, env=dict(installed.environment), args=["--no-sandbox"]
        )
        yield browser
        await browser.close()


if __name__ == "__main__":
    try:
        chromium()
    except debian.Missing as missing:
        print(f"{missing}; the browser lane will be left out")
