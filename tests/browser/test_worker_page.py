"""One worker's page with real Codex on the stub model: read, steered, cut off, and opened anywhere."""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest
import pytest_asyncio
from oa_client.workers import NewEvent
from playwright.async_api import Browser, Locator, Page, Route, expect

from tests.browser.people import Person
from tests.browser.visits import Tolerate, Visits, held_back
from tests.codex_scenes import PINNED
from tests.e2e.gate import Gate, gate
from tests.e2e.worker_desk import Desk
from tests.local_stack import Operator

pytestmark = [
    pytest.mark.skipif(not PINNED.launcher.exists(), reason=f"no Codex: run `make {PINNED.target}`"),
    pytest.mark.timeout(180),
]


_LOST = "ERR_|Failed to load resource|WebSocket|Failed to fetch|could not be loaded"
"""What a browser says of a server that is away."""
_BLOCKS = """() => [...document.querySelectorAll("#transcript > .block")].map(block => {
    const copy = block.cloneNode(true);
    for (const time of copy.querySelectorAll(".at")) time.remove();
    return [block.dataset.key, copy.textContent];
})"""
_WATCH = """() => {
    globalThis.seen = {lengths: new Set(), words: new Set()};
    const text = (what) => document.querySelector(what)?.textContent ?? "";
    new MutationObserver(() => {
        seen.lengths.add(text(".block.assistant .prose").length);
        seen.words.add(text(".block.user .badge")).add(text("#status").split(" ")[0]);
    }).observe(document.getElementById("main"), {childList: true, subtree: true, characterData: true});
}"""
_SEEN = "() => [seen.lengths.size, ...seen.words]"
_FIRST_VISIBLE = """() => {
    const topOf = (block) => block.getBoundingClientRect().top;
    const block = [...document.querySelectorAll("#transcript > .block")].find(block => topOf(block) >= 200);
    return new Promise(requestAnimationFrame).then(() => [block.dataset.seq, Math.round(topOf(block))]);
}"""
_SIZE = "document.querySelector('#transcript > .block').getAttribute('aria-setsize')"
_IN_THE_DOCUMENT = "() => document.querySelectorAll('#transcript > .block').length"


async def opened(page: Page, desk: Desk, query: str = "") -> Page:
    """Once the page shows what there is, and is connected."""
    await page.goto(f"/workers/{desk.worker_id}{query}")
    await expect(page.locator("#connection")).to_have_attribute("data-phase", "live")
    await expect(page.locator("#transcript > .block").first).to_be_visible()
    return page


async def send(page: Page, text: str) -> None:
    await page.fill("#text", text)
    await page.keyboard.press("Control+Enter")


def block(page: Page, kind: str, text: str = "") -> Locator:
    return page.locator(f"#transcript > .block.{kind}", has_text=text)


def ended(page: Page, word: str = "Done") -> Locator:
    return block(page, "end", word)


async def test_a_message_is_sent_its_answer_streams_and_its_turn_ends(desk: Desk, ada_page: Page) -> None:
    page = await opened(ada_page, desk)
    await expect(page.locator("#empty")).to_be_visible()
    await page.evaluate(_WATCH)
    async with desk.daemon():
        await send(page, "slow: 2")
        await expect(block(page, "assistant")).to_contain_text("word20")
        await expect(block(page, "user")).to_contain_text("Done")
        await expect(ended(page)).to_contain_text("tokens")
        await expect(page.locator("#status")).to_have_text("Ready")
    lengths, *words = await page.evaluate(_SEEN)
    assert lengths > 5
    assert {"Running", "Done", "Working", "Ready"} <= set(words)
    assert (
        await page.evaluate("localStorage.getItem(Object.keys(localStorage).find(key => /^(draft|outbox):/.test(key)))")
        is None
    )


async def test_a_command_shows_its_output_exit_code_and_folder(desk: Desk, ada_page: Page) -> None:
    """Codex 0.104 leaves out, in `item/completed` too, what a command writes before it listens: so this one waits."""
    page = await opened(ada_page, desk)
    async with desk.daemon():
        await send(page, "run: sleep 0.5; printf '\\033[31mred\\033[0m <b>\\n'; seq -f line%g 60; exit 3")
        command = block(page, "command")
        await expect(command).to_contain_text("exit 3")
        await expect(command).to_contain_text(str(desk.folder))
        await expect(command.locator(".output")).to_contain_text("line60")
        await expect(command.locator(".output")).not_to_contain_text("red")
        await command.get_by_role("button", name="Show all").click()
        await expect(command.locator(".ansi-red")).to_have_text("red")
        await expect(command.locator(".output")).to_contain_text("<b>")
        await expect(ended(page)).to_be_visible()
    await page.reload()
    await expect(block(page, "command")).to_contain_text("exit 3")


PROMPTS = {"command": "run: touch {}", "file_change": "patch: {}\nwritten"}
SHOWN = {"command": ("command", "touch"), "file_change": ("changes", "+ written")}


@pytest.mark.parametrize("kind", PROMPTS)
async def test_what_codex_asks_is_shown_whole_and_done_only_when_it_is_approved(
    desk: Desk, ada_page: Page, kind: str
) -> None:
    """DEC-45."""
    page = await opened(ada_page, desk)
    name, sign = SHOWN[kind]
    async with desk.daemon("--approve", "ask"):
        for file, button, word in (("denied", "Deny", "Denied"), ("allowed", "Approve once", "Approved once")):
            await send(page, PROMPTS[kind].format(file))
            asked = block(page, name, file)
            await expect(asked.locator(".question")).to_contain_text("Codex asks")
            await expect(asked).to_contain_text(sign)
            await expect(page.locator("#status")).to_have_text("Waits for your answer")
            assert not (desk.folder / file).exists()
            await asked.get_by_role("button", name=button, exact=True).click()
            await expect(asked).to_contain_text(word)
            await expect(block(page, "user", file)).to_contain_text("Done")
    assert [(desk.folder / file).exists() for file in ("denied", "allowed")] == [False, True]


async def test_a_question_is_answered_by_keyboard_and_names_who_did(desk: Desk, ada_page: Page) -> None:
    page = await opened(ada_page, desk)
    async with desk.daemon("--approve", "ask"):
        await send(page, "run: touch by_keyboard")
        await expect(page.locator(".question")).to_be_visible()
        await page.locator("#transcript > .block").first.focus()
        await page.keyboard.press("a")
        await page.keyboard.press("a")
        await expect(block(page, "command")).to_contain_text("Approved onceby console")
        await expect(ended(page)).to_be_visible()
    assert (desk.folder / "by_keyboard").exists()


async def test_escape_twice_interrupts_and_stop_asks_first(desk: Desk, ada_page: Page) -> None:
    page = await opened(ada_page, desk)
    async with desk.daemon():
        await send(page, "slow: 60")
        await expect(block(page, "assistant")).to_contain_text("word2")
        await page.keyboard.press("Escape")
        await page.keyboard.press("Escape")
        await expect(ended(page, "Interrupted")).to_be_visible()
        await expect(block(page, "user")).to_contain_text("Interrupted")
        await page.locator("#stop").click()
        await page.get_by_role("button", name="Stop worker").click()
        await expect(page.locator("#status")).to_contain_text("Stopped")
        await expect(page.get_by_role("button", name="Send")).to_be_disabled()
    await page.get_by_role("button", name="Reattach").click()
    await expect(page.get_by_role("button", name="Send")).to_be_enabled()
    await expect(block(page, "note", "Worker reattached")).to_be_visible()


async def test_shortcuts_are_listed_and_raw_events_have_seq_and_json(desk: Desk, ada_page: Page) -> None:
    page = await opened(ada_page, desk)
    await page.locator("#transcript > .block").first.focus()
    await page.keyboard.press("?")
    await expect(page.get_by_role("dialog")).to_contain_text("Interrupt the turn")
    await page.keyboard.press("Escape")
    await page.get_by_role("button", name="Raw").click()
    first = page.locator(".block.event").first
    await first.locator("summary").click()
    await expect(first.locator(".json")).to_contain_text('"event_type": "worker.started"')
    await expect(first.locator(".seq")).to_have_text("1")


# --- losing the connection --------------------------------------------------------------------------------------------


@pytest_asyncio.fixture(loop_scope="session")
async def cut_off(stack: Operator, browser: Browser, ada: Person) -> AsyncIterator[tuple[Page, Gate]]:
    """A page of ada's whose way to the edge can be closed."""
    async with gate(stack.port) as (passing, url), AsyncExitStack() as closing:
        beyond = Visits(browser, url, closing)
        yield await beyond.page(ada), passing


async def test_ten_disconnects_during_a_turn_end_in_the_transcript_of_an_uninterrupted_browser(
    desk: Desk, ada_page: Page, cut_off: tuple[Page, Gate]
) -> None:
    page, passing = cut_off
    await opened(ada_page, desk)
    await opened(page, desk)
    async with desk.daemon():
        await send(page, "slow: 6")
        for number in range(1, 11):
            await expect(block(ada_page, "assistant")).to_contain_text(f"word{number * 5} ")
            passing.close()
            await expect(page.locator("#connection")).to_have_attribute("data-phase", "offline")
            passing.open()
        await expect(ended(ada_page)).to_be_visible()
        await expect(ended(page)).to_be_visible()
    await agreed(ada_page, page)
    assert "word60" in str(await page.evaluate(_BLOCKS))


async def agreed(one: Page, other: Page) -> None:
    """Both show the same blocks, key by key and word by word, in the end."""
    async with asyncio.timeout(20):
        while await one.evaluate(_BLOCKS) != await other.evaluate(_BLOCKS):  # noqa: ASYNC110 - pages set no event
            await asyncio.sleep(0.1)


async def test_an_edge_that_is_killed_during_a_turn_leaves_no_gap(
    desk: Desk, ada_page: Page, stack: Operator, tolerate: Tolerate
) -> None:
    tolerate(_LOST)
    page = await opened(ada_page, desk)
    async with desk.daemon():
        await send(page, "slow: 4")
        await expect(block(page, "assistant")).to_contain_text("word5")
        edge = next(process.pid for process in stack.state().processes if process.name == "edge")
        assert edge is not None
        edge.send(signal.SIGKILL)
        await expect(ended(page)).to_be_visible(timeout=60_000)
        await expect(page.locator("#connection")).to_have_attribute("data-phase", "live", timeout=60_000)
    live = await page.evaluate(_BLOCKS)
    await page.reload()
    await expect(ended(page)).to_be_visible()
    assert await page.evaluate(_BLOCKS) == live
    assert " ".join(f"word{number}" for number in range(1, 41)) in str(live)


async def test_offline_keeps_the_draft_and_what_was_sent_counts_once(desk: Desk, cut_off: tuple[Page, Gate]) -> None:
    """DEC-46, DEC-47."""
    page, passing = cut_off
    await opened(page, desk)
    passing.close()
    await expect(page.locator(".composer-hint")).to_have_text("You are offline. The draft is kept.")
    await page.fill("#text", "run: echo once >> done.txt")
    await expect(page.get_by_role("button", name="Send")).to_be_disabled()
    passing.open()
    await expect(page.get_by_role("button", name="Send")).to_be_enabled()
    await page.reload()
    await expect(page.locator("#text")).to_have_value("run: echo once >> done.txt")
    await expect(page.locator("#connection")).to_have_attribute("data-phase", "live")
    lost: list[int] = []

    async def unanswered(route: Route) -> None:
        answer = await route.fetch()
        lost.append(answer.status)
        await (route.abort() if len(lost) == 1 else route.fulfill(response=answer))

    await page.route("**/events/batch", unanswered)
    async with desk.daemon():
        await page.focus("#text")
        await page.keyboard.press("Control+Enter")
        await expect(ended(page)).to_be_visible()
        await desk.say("run: echo last >> done.txt")
        await expect(ended(page)).to_have_count(2)
    assert lost == [202, 200]
    assert desk.written() == ["once", "last"]


async def test_what_is_typed_before_the_page_is_ready_is_kept(desk: Desk, ada_page: Page) -> None:
    async with held_back(ada_page, "composer.js"):
        await ada_page.goto(f"/workers/{desk.worker_id}", wait_until="commit")
        await ada_page.get_by_label("Message to the agent").fill("early")
        await expect(ada_page.get_by_role("button", name="Send")).to_be_disabled()
    await expect(ada_page.get_by_role("button", name="Send")).to_be_enabled()
    await expect(ada_page.locator("#text")).to_have_value("early")


# --- long histories ---------------------------------------------------------------------------------------------------

COUNT = 20_000


async def test_twenty_thousand_events_open_anywhere_and_only_what_is_near_is_in_the_document(
    desk: Desk, ada_page: Page
) -> None:
    for first in range(2, COUNT + 1, 500):
        numbers = range(first, min(first + 500, COUNT + 1))
        await desk.client.post_events(desk.worker_id, [remark(number) for number in numbers])
    page = await opened(ada_page, desk, "?at=10000")
    marked = page.locator('.block.marked[data-seq="10000"]')
    await expect(marked).to_contain_text("remark 10000")
    await expect(marked).to_be_in_viewport()
    arrived, released = asyncio.Event(), asyncio.Event()

    async def held(route: Route) -> None:
        arrived.set()
        await released.wait()
        await route.continue_()

    await page.route("**/events?before=*", held)
    while not arrived.is_set():
        await page.mouse.wheel(0, -900)
        await page.evaluate("() => new Promise(requestAnimationFrame)")
        assert await page.evaluate(_IN_THE_DOCUMENT) < 150
    where = await at_rest(page)
    size = await page.evaluate(_SIZE)
    released.set()
    await expect(page.locator("#transcript > .block").first).not_to_have_attribute("aria-setsize", size)
    assert await at_rest(page) == where
    await page.keyboard.press("e")
    await expect(block(page, "note", f"remark {COUNT}")).to_be_in_viewport()
    assert await page.evaluate(_IN_THE_DOCUMENT) < 120


def remark(number: int) -> NewEvent:
    payload = {"source": "autopilot-desktop", "method": "warning", "params": {"message": f"remark {number}"}}
    return NewEvent(f"remark:{number}", "worker.event", payload)


async def at_rest(page: Page) -> list[object]:
    """Seq and place of the first block in view, once nothing scrolls any more."""
    before: list[object] = []
    while before != (now := await page.evaluate(_FIRST_VISIBLE)):
        before = now
    return before
