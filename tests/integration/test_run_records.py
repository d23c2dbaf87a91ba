"""What operators do with runs: `oa runs show|verify|append|prune` (runtime §1.4, §2.17, DEC-17, DEC-38)."""

import json
import uuid
from collections.abc import Callable
from typing import Any

import asyncpg
import pytest
from oa_client.cli import build
from typer import Typer
from typer.testing import CliRunner, Result

from ops.commands import register
from ops.run_records import RunRecords
from ops.stack.processes import StackError
from producers import inbox, ownership, runs
from producers.chain import ChainBroken, Link
from producers.eventlog.commands import Item
from producers.eventlog.erasure import erase
from producers.eventlog.log import EventLog, head_of
from producers.eventlog.reader import LogReader
from producers.nouns import DECIDERS
from producers.ownership import CreateRun
from producers.runs import RequestCancel, Run
from schemas.names import inbox_stream, ownership_stream, run_stream
from tests import services
from tests.nodes import node
from tests.run_calls import RunCalls

Pool = asyncpg.Pool
OWNER = "user:7"
ENDED = {"status": "succeeded", "reason_class": "completed", "reason": "done"}


@pytest.fixture
def run_id() -> str:
    return f"run_{uuid.uuid4().hex}"


async def created(log: EventLog, run_id: str) -> None:
    await log.execute(ownership.DECIDER, ownership_stream(run_id), OWNER, [Item(CreateRun(run_id, "thr"))])


@pytest.fixture
async def records(pool: "Pool[Any]", log: EventLog, run_id: str) -> RunRecords:
    """With a run of nine events."""
    await created(log, run_id)
    records = RunRecords(pool, "ada")
    await records.append(run_id, "run.started", {})
    for n in range(7):
        await records.append(run_id, "run.delta", {"delta": f"{n} "})
    await records.append(run_id, "run.finished", ENDED)
    return records


async def test_what_an_operator_appends_has_version_0_and_a_name(
    records: RunRecords, pool: "Pool[Any]", run_id: str
) -> None:
    """DEC-17, ADR 14: any type is legal; who did it is in the headers; secrets are not written (runtime §1.4)."""
    assert await records.append(run_id, "Any Type, really", {"token": "hush", "n": 1}) == 10
    [event] = await LogReader(pool).read_stream(run_stream(run_id), 9, 10)
    assert (event.type, event.version, event.headers) == ("Any Type, really", 0, {"oa_operator": "ada"})
    assert event.payload == {"token": "[REDACTED]", "n": 1}


@pytest.mark.parametrize("event_type", ["", "a\x1fb", "t" * 256])
async def test_a_type_that_no_event_can_have_is_refused(records: RunRecords, run_id: str, event_type: str) -> None:
    """DEC-49."""
    with pytest.raises(StackError, match="control character"):
        await records.append(run_id, event_type, {})


async def test_a_run_ends_once_also_for_operators(records: RunRecords, run_id: str) -> None:
    """Runtime §1.2."""
    with pytest.raises(StackError, match="succeeded"):
        await records.append(run_id, "run.finished", ENDED)


async def test_nothing_is_appended_to_a_run_that_nobody_created(pool: "Pool[Any]") -> None:
    """Runtime §1.4: `run_not_found`."""
    with pytest.raises(StackError, match="no run run_nobodys"):
        await RunRecords(pool, "ada").append("run_nobodys", "note", {})


async def test_a_whole_chain_verifies(records: RunRecords, pool: "Pool[Any]", run_id: str) -> None:
    """Runtime §1.4, DEC-34: the head is 64 hex characters, and the one that the state has."""
    record = await records.read(run_id)
    assert await records.verify(run_id) == (9, Link(9, record.run.head_hash))
    assert len(record.run.head_hash or "") == 64


async def test_a_run_without_events_verifies(log: EventLog, pool: "Pool[Any]", run_id: str) -> None:
    await created(log, run_id)
    assert await RunRecords(pool, "ada").verify(run_id) == (0, Link())


@pytest.mark.parametrize(
    ("harm", "seq", "cause"),
    [
        ('update events set payload = \'{"delta":"no"}\' where stream = $1 and seq = 4', 4, "event_hash_mismatch"),
        ("update events set type = 'text.delta' where stream = $1 and seq = 4", 9, "event_hash_mismatch"),
        ("delete from events where stream = $1 and seq = 4", 4, "previous_hash_mismatch"),
        ("delete from events where stream = $1 and seq > 6", 7, "previous_hash_mismatch"),
    ],
)
async def test_a_broken_chain_is_found(
    records: RunRecords, pool: "Pool[Any]", run_id: str, harm: str, seq: int, cause: str
) -> None:
    """Runtime §1.4: the first broken seq and one of two causes; nothing is pruned of such a run."""
    await pool.execute(harm, run_stream(run_id))
    with pytest.raises(ChainBroken) as caught:
        await records.verify(run_id)
    assert (caught.value.seq, caught.value.cause) == (seq, cause)
    with pytest.raises(ChainBroken):
        await records.prune(run_id, 3)
    assert (await records.read(run_id)).ownership.anchor == Link()


async def test_a_pruned_run_goes_on_and_verifies_from_its_anchor(
    records: RunRecords, pool: "Pool[Any]", run_id: str
) -> None:
    """DEC-38."""
    head = (await records.verify(run_id)).head
    assert await records.prune(run_id, 5) == (5, head)
    await records.append(run_id, "note", {})
    assert (await records.verify(run_id)).events == 6
    assert (await records.prune(run_id, 8)).events == 3


async def test_what_is_pruned_is_empty_and_everything_else_about_it_stays(
    records: RunRecords, pool: "Pool[Any]", run_id: str
) -> None:
    """DEC-38, DESIGN I2: positions, seqs, types and digests are as before; an end is remembered."""
    await records.append(run_id, "note", {})
    before = await LogReader(pool).read_stream(run_stream(run_id), 0, 100)
    await records.prune(run_id, 10)
    after = await LogReader(pool).read_stream(run_stream(run_id), 0, 100)
    assert [(event.position, event.seq, event.type, event.digest) for event in after] == [
        (event.position, event.seq, event.type, event.digest) for event in before
    ]
    assert [event.payload for event in after] == [*[{}] * 8, ENDED, {}]


async def test_a_pruned_runs_state_is_the_fold_of_what_is_left(
    records: RunRecords, pool: "Pool[Any]", run_id: str
) -> None:
    """DESIGN §4: an older release's state is folded anew."""
    await records.append(run_id, "note", {})
    state = (await records.read(run_id)).run
    await records.prune(run_id, 10)
    await pool.execute("update streams set state_version = 0 where stream = $1", run_stream(run_id))
    async with pool.acquire() as connection:
        row = await connection.fetchrow("select * from streams where stream = $1", run_stream(run_id))
        head = await head_of(connection, row, runs.DECIDER)
    assert isinstance(head.state, Run)
    assert head.state == state


@pytest.mark.parametrize("before", [0, 1, 10])
async def test_only_what_is_there_is_pruned_and_one_event_stays(records: RunRecords, run_id: str, before: int) -> None:
    with pytest.raises(StackError, match="nothing is before"):
        await records.prune(run_id, before)


async def test_pruning_may_be_repeated_and_never_lowers_the_floor(
    records: RunRecords, pool: "Pool[Any]", run_id: str
) -> None:
    """Also after it was broken off between the floor and the payloads."""
    await records.prune(run_id, 5)
    await pool.execute(
        'update events set payload = \'{"delta":"1 "}\' where stream = $1 and seq = 3', run_stream(run_id)
    )
    await records.prune(run_id, 5)
    [third] = await LogReader(pool).read_stream(run_stream(run_id), 2, 1)
    assert third.erased
    with pytest.raises(StackError, match="events 5 to 9"):
        await records.prune(run_id, 4)
    assert len(await LogReader(pool).read_stream(ownership_stream(run_id), 0, 10)) == 2


@pytest.mark.invariant("I8")
async def test_a_cursor_below_the_floor_is_stale(pool: "Pool[Any]") -> None:
    """Runtime §2.17 rules 5 and 6, on a node that knew the run before it was pruned."""
    async with node(pool) as here:
        run = RunCalls(here.ada, "run_floor")
        await run.create()
        assert await run.frames_above(0) == []
        records = RunRecords(pool, "ada")
        for n in range(5):
            await records.append("run_floor", "note", {"n": n})
        await records.prune("run_floor", 4)
        stale = await run.get("stream", params={"cursor": 2, "tail_ms": 1})
        assert (stale.status_code, stale.json()["error"]["code"]) == (410, "stale_cursor")
        assert [seq for seq, _ in await run.frames_above(3)] == [4, 5]
        answer = await run.get("stream", params={"tail_ms": 1})
        assert (answer.status_code, answer.text) == (200, "")


async def test_an_erased_run_verifies_and_says_how_it_ended(
    records: RunRecords, log: EventLog, pool: "Pool[Any]", run_id: str
) -> None:
    """ADR 12: what people sent and what the run said of it is gone; order, chain and status stay."""
    frame = inbox.ReceiveFrame("f-1", "note", {"text": "hush"}, "00" * 32)
    await log.execute(inbox.DECIDER, inbox_stream(run_id), OWNER, [Item(frame)])
    await erase(pool, log, OWNER, DECIDERS)
    verified, record = await records.verify(run_id), await records.read(run_id)
    assert (verified.events, record.run.status, record.run.terminal_reason) == (10, "succeeded", None)
    assert record.ownership.thread_id == "thr"
    [received, erased] = await LogReader(pool).read_stream(inbox_stream(run_id), 0, 10)
    assert (received.payload, erased.type, record.inbox.frames) == ({}, "inbox.erased", 1)


# --- the commands ---------------------------------------------------------------------------------------------------


@pytest.fixture
def oa(database: str) -> Callable[..., Result]:
    app = Typer(pretty_exceptions_enable=False)
    register(app)
    environment = {"OA_DATABASE_URL": database, "OA_DATA_DIR": "/nonexistent", "COLUMNS": "300"}
    return lambda *words: CliRunner().invoke(app, ["runs", *words], env=environment)


@pytest.fixture
def here(database: str, run_id: str) -> str:
    """The id of a run that is going to be canceled, with a frame that waits."""
    services.run(_canceled(database, run_id))
    return run_id


async def _canceled(database: str, run_id: str) -> None:
    async with asyncpg.create_pool(database, min_size=1, max_size=2) as pool:
        log = EventLog(pool)
        await created(log, run_id)
        frame = inbox.ReceiveFrame("f-1", "note", {}, "00" * 32)
        await log.execute(inbox.DECIDER, inbox_stream(run_id), OWNER, [Item(frame)])
        await log.execute(runs.DECIDER, run_stream(run_id), OWNER, [Item(RequestCancel("enough"))])
        await log.close()


def test_show_says_how_a_run_is(oa: Callable[..., Result], here: str) -> None:
    shown = oa("show", here).output
    assert "canceling" in shown
    assert "run.cancel_requested" in shown
    told = json.loads(oa("show", here, "--json").output)
    expected = {"thread_id": "thr", "owner": OWNER, "status": "canceling", "latest_seq": 1, "frames_waiting": 1}
    assert told | expected == told
    assert [event["type"] for event in told["events"]] == ["run.cancel_requested"]
    assert json.loads(oa("show", here, "--json", "--after", "1").output)["events"] == []


def test_nothing_waits_for_a_run_that_has_ended(oa: Callable[..., Result], here: str) -> None:
    """Runtime §1.3: what came after the end, or with it, is stored and never processed."""
    assert oa("append", here, "run.finished", '{"status":"canceled"}', "--by", "eve").exit_code == 0
    assert json.loads(oa("show", here, "--json").output)["frames_waiting"] == 0


def test_append_and_verify(oa: Callable[..., Result], here: str) -> None:
    assert oa("append", here, "note", '{"n":1}', "--by", "eve").output == f"{here} has event 2 now\n"
    verified = oa("verify", here)
    assert (verified.exit_code, verified.output.startswith(f"{here}: 2 events, head ")) == (0, True)
    told = json.loads(oa("verify", here, "--json").output)
    assert (told["ok"], told["events"], told["first_seq"], len(told["head"])) == (True, 2, 1, 64)


@pytest.mark.parametrize("payload", ["[1]", "{", "5"])
def test_a_payload_is_an_object(oa: Callable[..., Result], here: str, payload: str) -> None:
    assert oa("append", here, "note", payload).exit_code == 1
    assert json.loads(oa("verify", here, "--json").output)["events"] == 1


def test_verify_ends_with_1_and_the_first_event_that_does_not_fit(
    database: str, oa: Callable[..., Result], here: str
) -> None:
    """Runtime §1.4."""
    services.run(_harm(database, here))
    broken = oa("verify", here)
    assert (broken.exit_code, broken.output) == (1, "the chain is broken at seq 1: event hash mismatch\n")
    told = json.loads(oa("verify", here, "--json").output)
    assert told == {"run_id": here, "ok": False, "broken_seq": 1, "cause": "event_hash_mismatch"}


async def _harm(database: str, run_id: str) -> None:
    async with asyncpg.create_pool(database, min_size=1, max_size=2) as pool:
        await pool.execute('update events set payload = \'{"reason":"no"}\' where stream = $1', run_stream(run_id))


def test_prune_asks_and_says_what_is_left(oa: Callable[..., Result], here: str) -> None:
    for n in range(4):
        oa("append", here, "note", json.dumps({"n": n}))
    assert oa("prune", here, "--before", "4").exit_code == 1, "nobody said yes"
    pruned = oa("prune", here, "--before", "4", "--yes")
    assert pruned.output.startswith(f"{here}: 2 events, from event 4 on, head ")
    shown = json.loads(oa("show", here, "--json").output)
    assert (shown["first_seq"], [event["seq"] for event in shown["events"]]) == (4, [4, 5])
    assert oa("prune", here, "--before", "9", "--yes").exit_code == 1


def test_an_unknown_run_is_told(oa: Callable[..., Result]) -> None:
    for words in (("show", "x"), ("verify", "x"), ("append", "x", "n", "{}"), ("prune", "x", "--before", "2", "--yes")):
        assert oa(*words).exit_code == 1


def test_what_clients_and_operators_do_with_runs_is_in_one_group() -> None:
    shown = CliRunner().invoke(build("runs"), ["runs", "--help"], env={"COLUMNS": "300"}).output
    assert all(f" {command} " in shown for command in ("start", "tail", "show", "verify", "append", "prune"))
