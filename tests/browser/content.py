"""What a person of the console has after some days: workers and what they did, runs, budgets, denials."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import httpx
from oa_client.client import Client
from oa_client.connection import Places
from oa_client.errors import Conflict
from oa_client.signed import Signed

from ops.stack import secrets
from readmodels.workers import SUMMARIES
from schemas.names import user_owner
from tests.browser.people import Person
from tests.e2e.worker_desk import Desk, at_a_desk
from tests.local_stack import Operator

PROJECT = "acme-shop"
_CART = """def total(prices, discount=0):
    return sum(prices) * (100 - discount) // 100
"""
_PARK = "insert into quarantine values ($1, $2, $3, $4, (select max(position) from events), $5, now())"
_UNPARK = "delete from quarantine where view = $1 and version = $2 and owner = $3 and doc_key = $4"
_TESTED = """import unittest

from cart import total


class TotalTest(unittest.TestCase):
    def test_a_discount_is_taken_off(self):
        self.assertEqual(total([1000, 500], discount=10), 1350)
"""


@dataclass(frozen=True)
class Content:
    """`ids` has what stands in the address of a page, by its name; every id has the `mark`, every text the `word`."""

    ids: Mapping[str, str]
    mark: str
    word: str


@asynccontextmanager
async def seeded(stack: Operator, person: Person, folder: Path, mark: str, word: str) -> AsyncIterator[Content]:
    """A daemon with the real Codex is at the worker meanwhile, and waits for an answer."""
    project = folder / PROJECT
    project.mkdir()
    (project / "cart.py").write_text(_CART)
    async with at_a_desk(stack, person.token, project) as desk:
        desk.worker_id = f"desktopw:{PROJECT}-{mark}"
        await desk.client.create_worker(desk.worker_id, adapter="desktop_bridge")
        async with desk.followed(), desk.daemon("--approve", "ask"):
            await _worked(desk, word)
            await _others(desk.client, mark)
            run_id, budget_id = await _spent(stack, person, mark, word)
            await _told_elsewhere(stack, person, mark)
            ids = {"worker": desk.worker_id, "run": run_id, "budget": budget_id}
            async with _parked(stack, person, f"desktopw:nightly-{mark}"):
                yield Content(ids, mark, word)


async def _worked(desk: Desk, word: str) -> None:
    """A question, a change that was approved, a command, a turn that failed, and an approval that waits."""
    await _turn(desk, f"How does the {word} cart round a discount?")
    await _turn(desk, f"run: cat cart.py; echo {word}", "accept")
    await _turn(desk, f"patch: test_cart.py\n{_TESTED}", "accept")
    await _turn(desk, "run: python3 -m unittest -v", "accept")
    await _turn(desk, "fail: the model is overloaded; try again in a minute")
    await desk.say(f"run: git push origin {word}")
    await desk.recorded("worker.approval.requested", len(desk.of("worker.approval.answered")) + 1)


async def _turn(desk: Desk, text: str, decision: str | None = None) -> None:
    turns = len(desk.of("turn/completed"))
    await desk.say(text)
    while decision and len(desk.of("turn/completed")) == turns:
        await desk.until(lambda: _asked(desk) or len(desk.of("turn/completed")) > turns)
        for approval_id in _asked(desk):
            await desk.ask("approval/answer", {"approval_id": approval_id, "decision": decision})
            await desk.until(lambda: approval_id not in _asked(desk))  # noqa: B023 - awaited here
    await desk.recorded("turn/completed", turns + 1)


def _asked(desk: Desk) -> list[str]:
    answered = {event.payload["approval_id"] for event in desk.of("worker.approval.answered")}
    asked = [str(event.payload["approval_id"]) for event in desk.of("worker.approval.requested")]
    return [approval_id for approval_id in asked if approval_id not in answered]


async def _others(client: Client, mark: str) -> None:
    """One that no daemon ever served, and one that was stopped."""
    await client.create_worker(f"desktopw:docs-{mark}", adapter="desktop_bridge")
    stopped = f"desktopw:nightly-{mark}"
    await client.create_worker(stopped, adapter="desktop_bridge")
    await client.stop_worker(stopped, "the night is over")


async def _spent(stack: Operator, person: Person, mark: str, word: str) -> tuple[str, str]:
    """A run that goes on, some that ended, and a budget with holds, what was spent, and what was denied."""
    url = f"http://127.0.0.1:{stack.port}"
    secret = Places(stack.data / "secrets.env", stack.data / "none").secret_of(url)
    assert secret is not None
    signed = Signed(secret, int(person.user_id))
    async with Client(url, person.token, signed=signed) as service:
        run_id = f"run_{mark}_checkout"
        await _ran(service, run_id, mark, word)
        budget_id = f"auth_{mark}_project"
        await service.budgets.authorize(
            authorization_id=budget_id, max_total_sats=1000, max_per_day_sats=400, max_per_call_sats=120
        )
        await _held(service, budget_id, run_id)
        child = await service.budgets.authorize(
            authorization_id=f"auth_{mark}_agent",
            parent_authorization_id=budget_id,
            mode="delegated_budget_with_threshold",
            threshold_sats=20,
        )
        await _held(service, child.authorization_id, run_id)
        old = await service.budgets.authorize(authorization_id=f"auth_{mark}_old", max_total_sats=50)
        await service.budgets[old.authorization_id].revoke("the month is over")
        return run_id, budget_id


async def _ran(service: Client, run_id: str, mark: str, word: str) -> None:
    thread_id = f"thr_{mark}"
    for name, end in (("lint", "finish"), ("deploy", "fail")):
        ended = service.runs[thread_id, f"run_{mark}_{name}"]
        await ended.start()
        await ended.say(f"Please {name} {PROJECT} for {word}.")
        await ended.frame(end, {"reason": "no route to the registry"} if end == "fail" else {})
    run = service.runs[thread_id, run_id]
    await run.start()
    for text in (f"Look at the {word} checkout. ", "It takes nine seconds, ", "most of it in the tax service."):
        await run.say(text)
    await run.frame("tool_result", {"tool": "profile", "seconds": 9.2})


async def _held(service: Client, budget_id: str, run_id: str) -> None:
    budget = service.budgets[budget_id]
    for number, sats in enumerate((15, 12, 8)):
        await budget.reserve(run_id, f"{budget_id}-call-{number}", sats)
    await budget.commit(run_id, f"{budget_id}-call-0", amount_sats=11)
    await budget.reconcile_required(run_id, f"{budget_id}-call-1", "the provider did not answer")
    refused = await asyncio.gather(budget.reserve(run_id, f"{budget_id}-call-9", 5000), return_exceptions=True)
    assert isinstance(refused[0], Conflict)


async def _told_elsewhere(stack: Operator, person: Person, mark: str) -> None:
    """A webhook that nobody answers at."""
    headers = {"authorization": f"Bearer {person.token}"}
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{stack.port}", headers=headers) as http:
        webhook = {"url": f"https://{mark}.hooks.invalid/agents", "name": f"Chat of {PROJECT}"}
        (await http.post("/api/webhooks", json=webhook)).raise_for_status()


@asynccontextmanager
async def _parked(stack: Operator, person: Person, worker_id: str) -> AsyncIterator[None]:
    """A document that an event could not be applied to, as after a release with a fault."""
    connection = await asyncpg.connect(secrets.read(stack.data)["OA_DATABASE_URL"])
    of = (SUMMARIES.name, SUMMARIES.version, user_owner(int(person.user_id)), worker_id)
    try:
        await connection.execute(_PARK, *of, "KeyError: 'amount_sats'")
        yield
    finally:
        await connection.execute(_UNPARK, *of)
        await connection.close()
