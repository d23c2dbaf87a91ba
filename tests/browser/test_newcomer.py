"""Somebody who has read the README's first screen only: from the link that was printed to a streamed answer."""

import re
from pathlib import Path

import pytest
from playwright.async_api import Page

from tests.codex_scenes import PINNED
from tests.conftest import Started

FIRST_SCREEN = 40
_README = Path(__file__).parents[2] / "README.md"
_WHILE_IT_SPEAKS = """() => {
    const told = document.querySelector("main").innerText;
    return told.includes("word3 ") && !told.includes("word50");
}"""


@pytest.mark.skipif(not PINNED.launcher.exists(), reason=f"no Codex: run `make {PINNED.target}`")
async def test_a_newcomer_reaches_a_streamed_answer(started: Started, visitor: Page) -> None:
    first_screen = "\n".join(_README.read_text(encoding="utf-8").splitlines()[:FIRST_SCREEN])
    assert "make up" in first_screen
    [link] = re.findall(r"^open:\s+(\S+)$", started.printed, re.MULTILINE)
    await visitor.goto(link)
    await visitor.get_by_role("main").get_by_role("link", name="desktopw:shared").click()
    await visitor.get_by_label("Message to the agent").fill("slow: 5")
    await visitor.get_by_role("button", name="Send").click()
    await visitor.wait_for_function(_WHILE_IT_SPEAKS, timeout=90_000)  # the worker may be coming back to a killed edge
    await visitor.get_by_text("word50").first.wait_for()
