"""What the console's pages share: elements, lists that keep the focus, times, shortcuts, dialogs, news, errors."""

import json
from functools import partial
from typing import Any

import pytest_asyncio
from playwright.async_api import Page, Request, Route, expect

from tests.browser.people import Person
from tests.browser.visits import Tolerate, Visits


@pytest_asyncio.fixture(loop_scope="session")
async def page(visits: Visits, bob: Person) -> Page:
    page = await visits.page(bob)
    await page.goto("/tokens")
    await page.wait_for_function("() => !document.querySelector('[aria-busy=true]')")
    await page.evaluate("""async () => {
        const folder = document.querySelector("script[src*=layout]").src.replace("layout.js", "");
        const modules = ["api", "dialogs", "dom", "shortcuts", "times", "toast"];
        for (const name of modules) Object.assign(window, await import(`${folder}${name}.js`));
    }""")
    return page


async def test_what_an_element_is_told_is_text_never_markup(page: Page) -> None:
    made = await page.evaluate("""() => {
        const evil = "<img src=x onerror=alert(1)>";
        const options = { class: evil, attrs: { title: evil }, hidden: true, disabled: false, id: null };
        return el("p", options, evil, null, false, [el("b", {}, 5), [" more"]]).outerHTML;
    }""")
    evil = "&lt;img src=x onerror=alert(1)&gt;"
    raw = "<img src=x onerror=alert(1)>"
    assert made in (f'<p title="{one}" class="{one}" hidden="">{evil}<b>5</b> more</p>' for one in (raw, evil))


LIST = """() => {
    window.list = el("ul");
    window.renders = 0;
    document.getElementById("main").replaceChildren(list);
    window.show = items => keyed(list, items, item => item.id, item => {
        window.renders += 1;
        return el("li", {}, el("button", { id: item.id }, item.text));
    });
    window.texts = () => [...list.children].map(row => row.textContent);
}"""


async def test_a_list_becomes_what_it_is_told_and_renders_only_what_is_new(page: Page) -> None:
    await page.evaluate(LIST)
    told = await page.evaluate("""() => {
        const [a, b, c] = ["a", "b", "c"].map(id => ({ id, text: id }));
        const steps = [[a, b, c], [c, a, b], [c, { id: "b", text: "B" }, a], [a], [], [b, a]];
        return steps.map(items => { window.renders = 0; show(items); return [texts().join(""), window.renders]; });
    }""")
    assert told == [["abc", 3], ["cab", 0], ["cBa", 1], ["a", 0], ["", 0], ["ba", 2]]


async def test_the_focus_stays_when_its_row_moves_or_is_rendered_anew(page: Page) -> None:
    await page.evaluate(LIST)
    focused = await page.evaluate("""() => {
        const [a, b] = ["a", "b"].map(id => ({ id, text: id }));
        show([a, b]);
        document.getElementById("b").focus();
        show([b, a]);
        const moved = document.activeElement.id;
        show([a, { id: "b", text: "new words" }]);
        return [moved, document.activeElement.textContent];
    }""")
    assert focused == ["b", "new words"]


async def test_how_long_ago_something_was(page: Page) -> None:
    past = {0: "now", 2: "now", 3: "3 s ago", 59: "59 s ago", 60: "1 min ago", 3599: "59 min ago", 3600: "1 h ago"}
    seconds = past | {86400: "1 d ago", 86400 * 29: "29 d ago", -5: "in 5 s", -7200: "in 2 h"}
    script = "seconds => seconds.map(ago_s => ago(new Date(1e12 - 1000 * ago_s).toISOString(), 1e12))"
    assert await page.evaluate(script, list(seconds)) == list(seconds.values())
    assert "2001" in await page.evaluate("() => ago('2001-09-09T00:00:00Z')")


async def test_shortcuts_run_alone_in_sequence_and_with_mod_while_somebody_types(page: Page) -> None:
    await page.evaluate("""() => {
        window.ran = [];
        for (const keys of ["x", "z y", "mod+enter", "escape"]) shortcut(keys, `Test ${keys}`, () => ran.push(keys));
        document.getElementById("main").append(el("input", { id: "typing" }));
    }""")
    for keys in ("x", "z", "y", "y", "Control+Enter"):
        await page.keyboard.press(keys)
    await page.locator("#typing").focus()
    for keys in ("x", "z", "y", "Control+Enter", "Escape"):
        await page.keyboard.press(keys)
    assert await page.evaluate("() => ran") == ["x", "z y", "mod+enter", "mod+enter", "escape"]
    assert await page.locator("#typing").input_value() == "xzy"
    await page.locator("#typing").blur()
    await page.keyboard.press("?")
    await expect(page.get_by_role("dialog")).to_contain_text("Test z y")
    await page.keyboard.press("x")
    assert len(await page.evaluate("() => ran")) == 5


async def test_the_keyboard_goes_where_the_navigation_does(page: Page) -> None:
    await page.keyboard.press("g")
    await page.keyboard.press("w")
    await page.wait_for_url(lambda url: url.endswith("/"))


async def test_a_question_is_answered_no_by_escape_and_by_a_click_beside_it(page: Page) -> None:
    asking = "() => { window.answer = confirmed({ title: 'Really?', text: 'It ends.', action: 'End it' }); }"
    dialog = page.get_by_role("dialog", name="Really?")
    for answer, wanted in ((_escaped, False), (_clicked_beside, False), (_said_yes, True)):
        await page.get_by_role("button", name="New token").focus()
        await page.evaluate(asking)
        await expect(dialog).to_contain_text("It ends.")
        await answer(page)
        assert await page.evaluate("() => answer") is wanted
        await expect(dialog).to_have_count(0)
        await expect(page.get_by_role("button", name="New token")).to_be_focused()


async def _escaped(page: Page) -> None:
    await page.keyboard.press("Escape")


async def _clicked_beside(page: Page) -> None:
    await page.mouse.click(5, 5)


async def _said_yes(page: Page) -> None:
    await page.keyboard.press("Enter")


async def test_news_goes_by_itself_but_bad_news_stays_until_it_is_closed(page: Page) -> None:
    await page.clock.install()
    await page.evaluate("() => { toast('Fine.'); toast('Broken.', { kind: 'bad' }); }")
    news = page.get_by_role("status").filter(has_text="Broken.")
    await expect(news).to_contain_text("Fine.")
    await page.clock.fast_forward(7_000)
    await expect(page.get_by_text("Fine.")).to_have_count(0)
    await page.get_by_role("button", name="Close").click()
    await expect(page.get_by_text("Broken.")).to_have_count(0)


async def test_an_error_has_the_same_form_whatever_the_envelope(page: Page, tolerate: Tolerate) -> None:
    """Edge §1.1."""
    tolerate("status of (422|409|429|500)")
    validation = {"message": "Name is needed.", "errors": {"name": ["Name is needed."]}}
    coded = {"error": {"code": "conflict", "message": "It is stopped.", "details": ["a"]}}
    wanted = {"status": 0, "code": "", "message": "", "errors": {}, "details": [], "retryAfter": None}
    cases: list[tuple[int, Any, dict[str, str], dict[str, Any]]] = [
        (422, validation, {}, {"message": "Name is needed.", "errors": validation["errors"]}),
        (409, coded, {}, {"code": "conflict", "message": "It is stopped.", "details": ["a"]}),
        (
            429,
            {"message": "Too Many Attempts."},
            {"retry-after": "7"},
            {"message": "Too Many Attempts.", "retryAfter": 7},
        ),
        (500, None, {}, {"message": "The server answered 500."}),
    ]
    for status, body, headers, more in cases:
        answer = partial(_answered, status=status, body="" if body is None else json.dumps(body), headers=headers)
        await page.route("**/api/test", answer)
        assert await page.evaluate(_FAILED) == wanted | {"status": status} | more
        await page.unroute("**/api/test")


async def _answered(route: Route, _: Request, **answer: Any) -> None:
    await route.fulfill(**answer)


_FAILED = """() => api.post("/api/test").catch(({ status, code, message, errors, details, retryAfter }) =>
    ({ status, code, message, errors, details, retryAfter }))"""


async def test_whoever_is_not_signed_in_any_more_signs_in_and_comes_back(page: Page, tolerate: Tolerate) -> None:
    tolerate("status of 401")
    await page.route("**/api/test", partial(_answered, status=401, body="{}"))
    await page.evaluate("() => { history.replaceState(null, '', '/tokens?a=b#c'); }")
    async with page.expect_request("**/login?then=%2Ftokens%3Fa%3Db%23c"):
        await page.evaluate("() => { api.get('/api/test'); }")
