"""`oa bench console`: a worker's page with 20 000 events and 100 a second incoming: until usable, memory, frames."""

import asyncio
import shutil
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import httpx
import uvloop

from ops.bench import live
from ops.bench.figures import Figure, median, percentile, show
from ops.bench.processes import fresh_postgres
from ops.database import open_pool
from ops.stack.processes import StackError
from producers.eventlog.commands import Item
from producers.eventlog.log import EventLog
from producers.workers import DECIDER, AppendEvent, CreateWorker
from schemas.names import user_owner, worker_stream

if TYPE_CHECKING:
    from playwright.async_api import Browser, Page

EMAIL = "bench@lane.test"
WORKER = "desktopw:bench"
EVENTS = 20_000
RATE = 100
RUN_S = 15
ROUNDS = 3
SCROLL_PX = 2_400
WITHIN_MS = 60_000
_TOGETHER = 500
_LINES, _WORDS = 6, 26
_AT = "2026-02-20T12:00:03.104233Z"
_LAST = "That was all of it."

_USABLE = """last => !document.querySelector("textarea")?.disabled
    && document.querySelector("main").innerText.includes(last) && performance.now()"""
_AT_THE_BEGINNING = """() => ["1", "2", "3"].some(seq => document.querySelector(`a[href="?at=${seq}"]`))"""
_COUNT_FRAMES = """() => {
    const took = (window.benchFrames = []);
    let before = performance.now();
    const tick = now => { took.push(now - before); before = now; requestAnimationFrame(tick); };
    requestAnimationFrame(tick);
}"""


class Round(NamedTuple):
    """Milliseconds, but for the heap."""

    usable: float
    heap_mib: float
    following: list[float]
    scrolling: list[float]


class Recorder:
    """Writes what a daemon would of one worker's turns."""

    def __init__(self, log: EventLog, owner: str) -> None:
        self._log = log
        self._owner = owner

    async def create(self) -> None:
        await self._append([Item(CreateWorker(WORKER))])

    async def backlog(self) -> None:
        turns = [event for number in range(EVENTS // len(list(turn(0)))) for event in turn(number)]
        for start in range(0, len(turns), _TOGETHER):
            await self._append(turns[start : start + _TOGETHER])

    async def paced(self, item_id: str) -> None:
        """A message that goes on for a while, and ends."""
        began = time.monotonic()
        for number in range(RATE * RUN_S):
            await asyncio.sleep(max(0.0, began + number / RATE - time.monotonic()))
            await self._append([said(item_id, "item/agentMessage/delta", itemId=item_id, delta=f"word {number}, ")])
        ended = {"type": "agentMessage", "id": item_id, "text": f"{item_id} is over"}
        await self._append([said(item_id, "item/completed", item=ended)])

    async def _append(self, items: list[Item[Any]]) -> None:
        await self._log.execute(DECIDER, worker_stream(self._owner, WORKER), self._owner, items)


def main(*, as_json: bool) -> None:
    show(uvloop.run(run()), as_json=as_json)


async def run() -> Figure:
    async with fresh_postgres() as (server, _), open_pool(server.dsn()) as pool, live.edge(server.dsn()) as edge:
        recorder = Recorder(EventLog(pool), user_owner(await live.account(pool, EMAIL)))
        await recorder.create()
        await recorder.backlog()
        url = f"http://127.0.0.1:{edge.port}"
        cookies = await _signed_in(url)
        async with _chromium() as browser:
            return _figure([await _round(browser, url, cookies, recorder, number) for number in range(ROUNDS)])


def turn(number: int) -> Iterator[Item[Any]]:
    """A question, a command with its output, and an answer word by word, as Codex tells them."""
    tell = partial(said, f"turn-{number}")
    asked, ran, told = (f"{kind}-{number}" for kind in ("asked", "ran", "told"))
    lines = [f"test {line} of {number} ... ok\n" for line in range(_LINES)]
    words = [f"Word {word} of answer {number}. " for word in range(_WORDS)]
    yield tell("turn/started", turn={"id": f"turn-{number}", "items": [], "status": "inProgress", "error": None})
    question = {"type": "userMessage", "id": asked, "content": [{"type": "text", "text": f"run: {number}"}]}
    yield tell("item/started", item=question)
    yield tell("item/completed", item=question)
    command = {"type": "commandExecution", "id": ran, "command": "/bin/bash -lc 'make test'", "cwd": "/work"}
    yield tell("item/started", item=command | {"status": "inProgress", "aggregatedOutput": None, "exitCode": None})
    yield from (tell("item/commandExecution/outputDelta", itemId=ran, delta=line) for line in lines)
    done = {"status": "completed", "aggregatedOutput": "".join(lines), "exitCode": 0}
    yield tell("item/completed", item=command | done)
    yield tell("item/started", item={"type": "agentMessage", "id": told, "text": ""})
    yield from (tell("item/agentMessage/delta", itemId=told, delta=word) for word in words)
    yield tell("item/completed", item={"type": "agentMessage", "id": told, "text": "".join(words) + _LAST})
    yield tell("turn/completed", turn={"id": f"turn-{number}", "items": [], "status": "completed", "error": None})


def said(turn_id: str, method: str, **params: Any) -> Item[Any]:
    told = {"threadId": "th_bench", "turnId": turn_id, **params}
    payload = {"source": "autopilot-desktop", "method": method, "params": told, "occurred_at": _AT}
    return Item(AppendEvent("worker.event", payload))


async def _signed_in(url: str) -> list[dict[str, Any]]:
    async with httpx.AsyncClient(base_url=url, headers={"accept": "application/json"}) as http:
        (await http.post("/api/auth/email", json={"email": EMAIL})).raise_for_status()
        [mail, *_] = (await http.get("/dev/mailbox", params={"to": EMAIL})).json()["data"]
        (await http.post("/api/auth/verify", json={"code": mail["code"]})).raise_for_status()
        return [{"name": name, "value": value, "url": url} for name, value in http.cookies.items()]


@asynccontextmanager
async def _chromium() -> AsyncIterator["Browser"]:
    """The one on the path, as root may run it: without its sandbox."""
    from playwright.async_api import async_playwright

    program = shutil.which("chromium")
    if program is None:
        raise StackError("no chromium on the path: install your system's package for it")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield browser
        await browser.close()


async def _round(browser: "Browser", url: str, cookies: list[Any], recorder: Recorder, number: int) -> Round:
    """Each with an empty cache."""
    context = await browser.new_context(viewport={"width": 1280, "height": 800})
    try:
        await context.add_cookies(cookies)
        page = await context.new_page()
        await page.goto(f"{url}/workers/{WORKER}")
        usable = await (await page.wait_for_function(_USABLE, arg=_LAST, timeout=WITHIN_MS)).json_value()
        following = await _following(page, recorder, f"message-{number}")
        scrolling = await _scrolling(page)
        return Round(usable, await _heap_mib(page), following, scrolling)
    finally:
        await context.close()


async def _following(page: "Page", recorder: Recorder, item_id: str) -> list[float]:
    """How long each frame took until the message's end stood there."""
    await page.evaluate(_COUNT_FRAMES)
    await recorder.paced(item_id)
    await page.wait_for_function(_USABLE, arg=f"{item_id} is over", timeout=WITHIN_MS)
    frames: list[float] = await page.evaluate("() => benchFrames")
    return frames


async def _scrolling(page: "Page") -> list[float]:
    """Back through the whole history, which loads meanwhile."""
    await page.mouse.move(640, 400)
    await page.evaluate(_COUNT_FRAMES)
    async with asyncio.timeout(WITHIN_MS / 1000):
        while not await page.evaluate(_AT_THE_BEGINNING):
            await page.mouse.wheel(0, -SCROLL_PX)
    frames: list[float] = await page.evaluate("() => benchFrames")
    return frames


async def _heap_mib(page: "Page") -> float:
    """What is left of JavaScript's heap once it was cleaned up."""
    devtools = await page.context.new_cdp_session(page)
    await devtools.send("HeapProfiler.enable")
    await devtools.send("HeapProfiler.collectGarbage")
    await devtools.send("Performance.enable")
    metrics = (await devtools.send("Performance.getMetrics"))["metrics"]
    [used] = [metric["value"] for metric in metrics if metric["name"] == "JSHeapUsedSize"]
    return float(used) / 2**20


def _figure(rounds: list[Round]) -> Figure:
    usable_ms = [one.usable for one in rounds]
    figure = Figure("console", median(usable_ms), "ms until usable", None, None)
    figure.cases += [
        Figure("JavaScript's heap", median(one.heap_mib for one in rounds), "MiB", None, None),
        _frames(f"frames at {RATE}/s", [frame for one in rounds for frame in one.following]),
        _frames("frames while scrolling back", [frame for one in rounds for frame in one.scrolling]),
    ]
    return figure


def _frames(name: str, took_ms: list[float]) -> Figure:
    p50_ms, p99_ms = percentile(took_ms, 0.5), percentile(took_ms, 0.99)
    return Figure(name, p50_ms, "ms", None, None, p50_ms, p99_ms)
