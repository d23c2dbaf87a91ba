"""Runs and budgets as services use them: the client and `oa` against a real edge (runtime §2.6–2.9, §2.17, §3.5)."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing
from itertools import repeat
from pathlib import Path
from typing import Any

import asyncpg
import msgspec
import pytest
from oa_client import Client, Run, Signed
from oa_client.errors import Conflict, Forbidden, InvalidInput, NotFound, NotSignedIn, Unauthorized

from producers import execution
from producers.eventlog.commands import Item
from producers.eventlog.log import EventLog
from producers.eventlog.reader import LogReader
from schemas import daemons
from schemas.daemons import Charging
from schemas.names import inbox_stream, user_owner
from tests.flaky_proxy import FlakyProxy, cutting
from tests.nodes import SIGNING_KEY, Caller, Node, node

Pool = asyncpg.Pool
CUTS = 20


def hardly_ever() -> Iterator[float]:
    return repeat(0.005)


def signed(caller: Caller) -> Signed:
    return Signed(SIGNING_KEY, user_id=caller.user_id)


@pytest.fixture
async def here(pool: "Pool[Any]") -> AsyncIterator[Node]:
    async with node(pool) as running:
        yield running


@pytest.fixture
async def client(here: Node) -> AsyncIterator[Client]:
    async with Client(here.url, signed=signed(here.ada), pauses=hardly_ever) as client:
        yield client


class Executor:
    """Takes a run's frames when it is told to."""

    def __init__(self, pool: "Pool[Any]", owner: str) -> None:
        self._log, self._reader, self._owner = EventLog(pool), LogReader(pool), owner

    async def take(self, run_id: str) -> None:
        frames = [execution.frame(event) for event in await self._reader.read_stream(inbox_stream(run_id), 0, 1000)]
        command = execution.Pass(run_id, "here", 0, frames)
        await self._log.execute_together(execution.execute, execution.parts(run_id, self._owner), [Item(command)])

    async def close(self) -> None:
        await self._log.close()


@pytest.fixture
async def executor(pool: "Pool[Any]", here: Node) -> AsyncIterator[Executor]:
    executor = Executor(pool, user_owner(here.ada.user_id))
    yield executor
    await executor.close()


async def seen(run: Run, after: int | None = 0) -> list[tuple[int, str]]:
    async with asyncio.timeout(30), aclosing(run.events(after)) as events:
        return [(event.seq, event.event_type) async for event in events]


async def test_a_run_is_started_fed_followed_and_found(client: Client, executor: Executor) -> None:
    """Runtime §2.6, §2.7, §2.17, §2.18, DEC-1, DEC-2."""
    run = client.runs.new("thr-1", "run:fed")
    assert (await run.start()).status == (await run.start()).status == "created"
    for text in ("Bon", "jour"):
        assert not (await run.say(text)).idempotent_replay
    await run.frame("complete", frame_id="f-end")
    assert (await run.frame("complete", frame_id="f-end")).idempotent_replay
    with pytest.raises(Conflict):
        await run.frame("complete", {"reason": "other"}, frame_id="f-end")
    following = asyncio.create_task(seen(run, None))
    await executor.take("run:fed")
    whole = [(1, "run.started"), (2, "run.delta"), (3, "run.delta"), (4, "run.finished")]
    assert await following in (whole, [])  # what came before it looked is not to come
    assert await seen(run) == whole
    assert await seen(run, 2) == whole[2:]
    assert await seen(run, 4) == [], "nothing more comes of a run that is over"
    snapshot = await (await client.runs.find("run:fed")).snapshot()
    assert (snapshot.status, snapshot.latest_seq, snapshot.thread_id) == ("succeeded", 4, "thr-1")
    assert [one.run_id for one in await client.runs.list(thread_id="thr-1")] == ["run:fed"]


async def test_a_run_is_canceled_once(client: Client) -> None:
    """Runtime §2.8, DEC-8."""
    run = client.runs.new()
    await run.start()
    assert [(await run.cancel("enough")).idempotent_replay for _ in range(2)] == [False, True]


async def test_cuts_leave_no_gap_and_no_repetition(here: Node, client: Client, executor: Executor) -> None:
    """DESIGN I8, runtime §2.17."""
    run = client.runs.new("thr-cut", "run:cut")
    await run.start()
    for number in range(40):
        await run.say(f"{number} " * 50)
    await run.frame("complete")
    await executor.take("run:cut")
    proxy = FlakyProxy(int(here.url.rpartition(":")[2]), CUTS, seed=7)
    async with cutting(proxy) as url, Client(url, signed=signed(here.ada), pauses=hardly_ever) as far:
        while proxy.done < CUTS:
            assert [seq for seq, _ in await seen(far.runs["thr-cut", "run:cut"])] == list(range(1, 43))


async def test_who_may_not_is_told_so(here: Node, client: Client) -> None:
    """Runtime §2.2, §2.3."""
    await client.runs["thr-1", "run:hers"].start()
    async with Client(here.url, signed=signed(here.bob)) as bob:
        with pytest.raises(Forbidden):
            await bob.runs["thr-1", "run:hers"].snapshot()
        with pytest.raises(NotFound):
            await bob.runs.find("run:hers")
    async with Client(here.url, signed=Signed("another secret", user_id=here.ada.user_id)) as forger:
        with pytest.raises(Unauthorized):
            await forger.runs.list()
    async with Client(here.url, here.ada.bearer) as person:
        with pytest.raises(NotSignedIn):
            await person.budgets.list()


async def test_money_is_held_spent_and_given_back(client: Client) -> None:
    """Runtime A.4, §3.5."""
    await client.runs["thr-1", "run:paying"].start()
    budget = client.budgets[(await client.budgets.authorize(max_total_sats=100)).authorization_id]
    assert (await budget.reserve("run:paying", "a", 70)).budget.reserved_sats == 70
    with pytest.raises(Conflict) as refused:
        await budget.reserve("run:paying", "b", 40)
    assert refused.value.reason_code
    await budget.reserve("run:paying", "b", 30)
    assert [hold.tool_call_id for hold in await budget.holds()] == ["b", "a"]
    assert (await budget.commit("run:paying", "a", amount_sats=60)).state == "committed"
    assert (await budget.commit("run:paying", "a", amount_sats=60)).idempotent_replay
    assert (await budget.reconcile_required("run:paying", "b", "no answer")).state == "reconcile_required"
    assert (await budget.release("run:paying", "b")).state == "released"
    shown = await budget.show()
    assert (shown.spent_sats, shown.reserved_sats, shown.remaining_sats) == (60, 0, 40)
    assert (await budget.revoke("enough")).revoked_at
    with pytest.raises(Conflict):
        await budget.reserve("run:paying", "c", 1)
    assert budget.authorization_id in [one.authorization_id for one in await client.budgets.list()]


async def test_a_budget_is_made_once_under_its_id(client: Client) -> None:
    """Runtime §1.8."""
    made = [await client.budgets.authorize(authorization_id="budget:once", max_per_call_sats=5) for _ in range(2)]
    assert made[0].max_per_call_sats == 5
    assert made[0].issued_at == made[1].issued_at
    with pytest.raises(InvalidInput):
        await client.budgets.authorize(threshold_sats=5)


# --- from a terminal ------------------------------------------------------------------------------------------------


class Terminal:
    """Somebody with the local stack's secrets in `.oa`, who gives no option."""

    def __init__(self, home: Path, here: Node) -> None:
        self._home = home
        (home / ".oa").mkdir()
        secrets = f"OA_URL={here.url}\nOA_LOCAL_TOKEN={here.ada.bearer}\nOA_RUNTIME_SIGNING_KEY={SIGNING_KEY}\n"
        (home / ".oa" / "secrets.env").write_text(secrets)

    async def oa(self, *arguments: str, **variables: str) -> tuple[int | None, list[str]]:
        """Exit status, and the lines it printed: of a failure those it complained with."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", "from oa_client.cli import main; main()", *arguments),
            cwd=self._home,
            env={"HOME": str(self._home), "PATH": os.environ["PATH"], **variables},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        printed, complained = await process.communicate()
        return process.returncode, (complained if process.returncode else printed).decode().splitlines()


@pytest.fixture
def terminal(tmp_path: Path, here: Node) -> Terminal:
    return Terminal(tmp_path, here)


async def test_a_run_from_a_terminal(terminal: Terminal, executor: Executor) -> None:
    assert await terminal.oa("runs", "start", "Bonjour", "--run", "run:cli", "--thread", "thr:cli") == (0, ["run:cli"])
    status, [said] = await terminal.oa("runs", "say", "run:cli", "--type", "complete", "--payload", '{"reason":"done"}')
    assert (status, said.startswith("Sent to run:cli as frame frm_")) == (0, True)
    await executor.take("run:cli")
    status, lines = await terminal.oa("runs", "tail", "run:cli")
    assert (status, [line.split()[:2] for line in lines]) == (
        0,
        [["1", "run.started"], ["2", "run.delta"], ["3", "run.finished"]],
    )
    _, lines = await terminal.oa("runs", "tail", "run:cli", "--after", "1", "--json")
    assert json.loads(lines[0])["payload"]["delta"] == "Bonjour"
    assert await terminal.oa("runs", "cancel", "run:cli") == (0, ["run:cli is succeeded already."])
    status, [line] = await terminal.oa("runs", "list", "--thread", "thr:cli")
    assert (status, line.split()[:3]) == (0, ["run:cli", "succeeded", "3"])


async def test_a_budget_from_a_terminal(terminal: Terminal, client: Client) -> None:
    make = ("--id", "budget:cli", "--total", "100", "--per-call", "50", "--threshold", "20")
    assert await terminal.oa("budgets", "make", *make) == (0, ["budget:cli"])
    await client.runs["t", "run:budget"].start()
    await client.budgets["budget:cli"].reserve("run:budget", "call-1", 10)
    status, [line] = await terminal.oa("budgets", "holds", "budget:cli")
    assert (status, line.split()[:4]) == (0, ["run:budget", "call-1", "reserved", "10"])
    _, lines = await terminal.oa("budgets", "list")
    assert "budget:cli  delegated_budget_with_threshold  0 spent, 10 held, 90 left" in lines
    assert (await terminal.oa("budgets", "revoke", "budget:cli"))[0] == 0
    _, lines = await terminal.oa("budgets", "show", "budget:cli")
    shown = dict(line.split(maxsplit=1) for line in lines)
    assert (shown["threshold_sats"], shown["reserved_sats"], "revoked_at" in shown) == ("20", "10", True)
    await client.budgets.authorize(authorization_id="[bold]", metadata={"note": "[/red]"})
    _, lines = await terminal.oa("budgets", "show", "[bold]")
    assert "authorization_id        [bold]" in lines


async def test_a_worker_is_bound_to_a_budget_from_a_terminal(terminal: Terminal, here: Node) -> None:
    """what is written has the shape that charging takes (ADR 14): any other binds nobody"""
    (await here.ada.public("POST", "/runtime/codex/workers", json={"worker_id": "w:bound"})).raise_for_status()
    prices = ("--price", "gpt-5-codex=900", "--price", "provider=x/y=1200")
    status, [line] = await terminal.oa("budgets", "charge", "w:bound", "auth_desk", "--hold", "50", *prices)
    assert (status, line) == (0, "auth_desk pays for the turns of w:bound.")
    assert await terminal.oa("budgets", "charge", "w:bound", "--off") == (0, ["Nobody pays."])
    for wrong in (["auth_desk"], [], ["auth_desk", "--off"], ["auth_desk", "--price", "gpt-5"]):
        assert (await terminal.oa("budgets", "charge", "w:bound", *wrong))[0] == 2
    told = (await here.ada.public("GET", "/runtime/codex/workers/w:bound/events")).json()["data"]["events"]
    bound, unbound = [event["payload"] for event in told if event["event_type"] == daemons.CHARGING_SET]
    expected = Charging("auth_desk", 50, {"gpt-5-codex": 900, "provider=x/y": 1200})
    assert (msgspec.convert(bound, Charging), unbound) == (expected, {})
    missing = await terminal.oa("budgets", "charge", "w:nobody", "auth_desk", "--price", "gpt-5=1")
    assert (missing[0], "no such worker" in missing[1][0]) == (1, True)


async def test_the_secret_of_a_stack_is_for_its_address_only(terminal: Terminal, here: Node) -> None:
    elsewhere = here.url.replace("127.0.0.1", "localhost")
    status, [line] = await terminal.oa("runs", "list", "--url", elsewhere)
    assert (status, "no secret for" in line) == (1, True)
    status, _ = await terminal.oa("runs", "list", "--url", elsewhere, "--user", "7", OA_RUNTIME_SIGNING_KEY=SIGNING_KEY)
    assert status == 0
    status, [line] = await terminal.oa("runs", "list", "--user", "7", OA_RUNTIME_SIGNING_KEY="wrong")
    assert (status, "the secret or the token is not valid there" in line) == (1, True)


async def test_what_is_not_there_is_told_without_words_about_workers(terminal: Terminal) -> None:
    status, [line] = await terminal.oa("runs", "tail", "run:nobodys")
    assert (status, "no run run:nobodys" in line, "worker" in line) == (1, True, False)
