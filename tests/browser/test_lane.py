"""The lane itself: pages of people who are signed in, and a watch that overlooks nothing."""

from playwright.async_api import Page

from tests.browser.audit import Walk, overflow, violations
from tests.browser.people import Person
from tests.browser.visits import Tolerate, Visits
from tests.e2e.worker_desk import Desk

ANYWHERE = "/dev/mailbox"
_ME = "() => fetch('/api/me').then(answer => answer.json())"


async def test_a_browser_holds_the_session_of_its_person_and_of_nobody_else(
    visitor: Page, ada_page: Page, ada: Person, bob_page: Page, bob: Person, tolerate: Tolerate
) -> None:
    """Edge §1.6."""
    tolerate("401|favicon")
    emails = []
    for page in (visitor, ada_page, bob_page):
        await page.goto(ANYWHERE)
        emails.append((await page.evaluate(_ME)).get("data", {}).get("user", {}).get("email"))
    assert emails == [None, ada.email, bob.email]


async def test_whatever_a_page_complains_of_fails_its_test(visits: Visits, visitor: Page, tolerate: Tolerate) -> None:
    async with visitor.expect_event("requestfailed"):
        await visitor.goto(ANYWHERE)
        await visitor.evaluate("""() => {
            console.error("one");
            setTimeout(() => { throw new Error("two"); });
            Promise.reject(new Error("three"));
            fetch("http://third.invalid/party");
        }""")
    assert seen(visits, "one", "two", "three", "third party: http://third.invalid/party") == [True] * 4
    tolerate("one|two|three|third|ERR_|Failed to fetch|favicon")


async def test_what_a_page_is_forbidden_by_its_policy_fails_the_test(
    visits: Visits, visitor: Page, tolerate: Tolerate
) -> None:
    await visitor.goto(ANYWHERE)
    async with visitor.expect_console_message():
        await visitor.set_content("""
            <meta http-equiv="Content-Security-Policy" content="script-src 'self'"><script>document.title = "x"</script>
        """)
    assert seen(visits, "Content Security Policy") == [True]
    tolerate("Content Security Policy|favicon")


def seen(visits: Visits, *parts: str) -> list[bool]:
    complaints = visits.watch.complaints()
    return [any(part in complaint for complaint in complaints) for part in parts]


async def test_a_desk_here_has_a_real_codex(desk: Desk, ada_page: Page, tolerate: Tolerate) -> None:
    tolerate("favicon")
    async with desk.daemon():
        await desk.say("run: touch done.txt")
        await desk.recorded("turn/completed")
    await ada_page.goto(ANYWHERE)
    answer = await ada_page.evaluate(f"() => fetch('/api/runtime/codex/workers/{desk.worker_id}').then(a => a.json())")
    assert answer["data"]["latest_seq"] == desk.events[-1].seq


async def test_an_audit_finds_what_is_wrong_too_wide_out_of_reach_or_not_seen(
    visitor: Page, tolerate: Tolerate
) -> None:
    tolerate("favicon")
    await visitor.goto(ANYWHERE)
    await visitor.set_content("""
        <div style="width: 3000px"><img src="data:,"></div>
        <button style="outline: none">one</button>
        <button onfocus="this.blur()">two</button>
    """)
    walk = Walk(visitor)
    assert any(text.startswith("image-alt") for text in await violations(visitor))
    assert (await overflow(visitor))[0] == "the page"
    assert await walk.unreached() == ["button two (1)"]
    assert walk.unseen == ["button one (1)"]
