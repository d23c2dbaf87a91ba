"""Every page for everybody: by keyboard, on a phone, in both themes, and for programs that read it aloud."""

from typing import Final

import pytest

from edge.console.rendering import Page
from tests.browser.audit import AXE, Walk, overflow, violations
from tests.browser.content import Content
from tests.browser.pages import SHOWN, looked, visit
from tests.browser.people import Person
from tests.browser.visits import Theme, Visits, Width

pytestmark = pytest.mark.skipif(not AXE.exists(), reason="no axe-core: run `make chromium`")
every_page = pytest.mark.parametrize("page", SHOWN, ids=lambda page: page.name)

_LOOKS: Final[list[tuple[Width, Theme]]] = [(360, "light"), (360, "dark"), (1280, "light"), (1280, "dark")]


@every_page
async def test_nothing_is_wrong_or_too_wide_on_a_phone_and_a_laptop_in_both_themes(
    page: Page, visits: Visits, ada: Person, content: Content
) -> None:
    tab = await visits.page(None if page.path == "/login" else ada, width=360, reduced_motion="reduce")
    await visit(tab, page, content.ids)
    for width, theme in _LOOKS:
        await looked(tab, width, theme)
        found = await violations(tab) + await overflow(tab)
        assert found == [], (page.name, width, theme)


@every_page
async def test_whatever_can_be_used_is_reached_by_keyboard_and_seen_to_be(
    page: Page, visits: Visits, ada: Person, content: Content
) -> None:
    tab = await visits.page(None if page.path == "/login" else ada, reduced_motion="reduce")
    await visit(tab, page, content.ids)
    walk = Walk(tab)
    assert await walk.unreached() == []
    assert walk.reached
    assert walk.unseen == []


async def test_menus_and_dialogs_are_as_good_as_the_pages_below(visits: Visits, ada: Person) -> None:
    tab = await visits.page(ada, reduced_motion="reduce")
    for width, theme in _LOOKS:
        await tab.goto("/")
        await looked(tab, width, theme)
        await tab.locator("[popovertarget=menu]:visible").first.click()
        assert await violations(tab) == []
        await tab.keyboard.press("Escape")
        await tab.keyboard.press("?")
        await tab.get_by_role("dialog").wait_for()
        assert await violations(tab) == []
