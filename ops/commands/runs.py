"""`oa runs show|verify|append|prune`: what operators do with a run in the log."""

import asyncio
import getpass
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any

import typer
from rich.table import Table

from ops.commands.connection import connected
from ops.commands.options import Data, screen, telling_errors
from ops.commands.projections import reprojector
from ops.exports import as_object
from ops.run_records import RunRecord, RunRecords
from ops.settings import Settings, of_this_process
from ops.stack.processes import StackError
from producers.chain import ChainBroken
from producers.chain_walk import Verified
from producers.eventlog.commands import dumps
from schemas import canonical_json
from schemas.events import Payload, Recorded
from schemas.times import iso6

RunId = Annotated[str, typer.Argument(metavar="RUN", show_default=False)]
Type = Annotated[str, typer.Argument(metavar="TYPE", help="Of the event: any.", show_default=False)]
Json = Annotated[str, typer.Argument(metavar="PAYLOAD", help="A JSON object.", show_default=False)]
After = Annotated[int, typer.Option("--after", metavar="SEQ", min=0, help="Only events behind this one.")]
Limit = Annotated[int, typer.Option("--limit", metavar="N", min=1, help="At most so many events.")]
Before = Annotated[int, typer.Option("--before", metavar="SEQ", min=2, help="The first event that is kept.")]
Who = Annotated[str | None, typer.Option("--by", help="Who does it; else this machine's user.", show_default=False)]
AsJson = Annotated[bool, typer.Option("--json", help="For scripts: one JSON object.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]


def register(app: typer.Typer) -> None:
    group = _group(app)
    for command in (show, verify, append, prune):
        group.command()(command)


def _group(app: typer.Typer) -> typer.Typer:
    """The client's, where that is installed: both add to `oa runs`."""
    for known in app.registered_groups:
        if known.name == "runs" and known.typer_instance:
            return known.typer_instance
    group = typer.Typer(no_args_is_help=True, help="Runs: what agents do, from the first frame to the end.")
    app.add_typer(group, name="runs")
    return group


def show(run_id: RunId, after: After = 0, limit: Limit = 50, data: Data = None, as_json: AsJson = False) -> None:
    """Say how a run is, and what has happened in it."""
    with telling_errors():
        record, events = asyncio.run(_shown(of_this_process(data), run_id, after, limit))
        if as_json:
            print(dumps(_described(record) | {"events": [as_object(event) for event in events]}))
        else:
            screen.print(_table(record))
            for event in events:
                screen.print(_line(event), markup=False, soft_wrap=True)


def verify(run_id: RunId, data: Data = None, as_json: AsJson = False) -> None:
    """Check the hash chain of a run's events; 1 when it is broken, with the first event that does not fit."""
    with telling_errors():
        try:
            verified = asyncio.run(_verified(of_this_process(data), run_id))
        except ChainBroken as broken:
            told = {"run_id": run_id, "ok": False, "broken_seq": broken.seq, "cause": broken.cause}
            screen.print(json.dumps(told) if as_json else str(broken), markup=False, soft_wrap=True)
            raise typer.Exit(1) from None
        _tell(run_id, verified, as_json)


def append(
    run_id: RunId, event_type: Type, payload: Json, by: Who = None, data: Data = None, as_json: AsJson = False
) -> None:
    """Write an event into a run's log, with one's name in its headers."""
    with telling_errors():
        seq = asyncio.run(_appended(of_this_process(data), run_id, event_type, _object(payload), by))
        screen.print(json.dumps({"run_id": run_id, "seq": seq}) if as_json else f"{run_id} has event {seq} now")


def prune(
    run_id: RunId, before: Before, by: Who = None, data: Data = None, yes: Yes = False, as_json: AsJson = False
) -> None:
    """Take away for ever what a run's oldest events say; the chain of the others still verifies."""
    with telling_errors():
        if not yes:
            typer.confirm(f"Forget what happened in {run_id} before event {before}?", abort=True)
        try:
            verified = asyncio.run(_pruned(of_this_process(data), run_id, before, by))
        except ChainBroken as broken:
            raise StackError(f"nothing was pruned: {broken}") from broken
        _tell(run_id, verified, as_json)


async def _shown(settings: Settings, run_id: str, after: int, limit: int) -> tuple[RunRecord, list[Recorded]]:
    async with _records(settings) as records:
        record = await records.read(run_id)
        return record, await records.events(record, after, limit)


async def _verified(settings: Settings, run_id: str) -> Verified:
    async with _records(settings) as records:
        return await records.verify(run_id)


async def _appended(settings: Settings, run_id: str, event_type: str, payload: Payload, by: str | None) -> int:
    async with _records(settings, by) as records:
        return await records.append(run_id, event_type, payload)


async def _pruned(settings: Settings, run_id: str, before: int, by: str | None) -> Verified:
    async with connected(settings) as pool:
        verified = await RunRecords(pool, by or getpass.getuser()).prune(run_id, before)
        await (await reprojector(settings, pool)).tables_of(run_id)
        return verified


@asynccontextmanager
async def _records(settings: Settings, by: str | None = None) -> AsyncIterator[RunRecords]:
    async with connected(settings) as pool:
        yield RunRecords(pool, by or getpass.getuser())


def _object(text: str) -> Payload:
    try:
        payload = canonical_json.decode(text)
    except ValueError as error:
        raise StackError(f"the payload is not JSON: {error}") from None
    if not isinstance(payload, dict):
        raise StackError("the payload is not a JSON object")
    return payload


def _tell(run_id: str, verified: Verified, as_json: bool) -> None:
    events, (seq, head) = verified
    if as_json:
        told = {"run_id": run_id, "ok": True, "events": events, "first_seq": seq - events + 1, "head": head}
        print(json.dumps(told))
    else:
        kept = f"{events} events" if seq == events else f"{events} events, from event {seq - events + 1} on"
        screen.print(f"{run_id}: {kept}, head {head or '–'}", markup=False, soft_wrap=True)


def _described(record: RunRecord) -> dict[str, Any]:
    run, owned = record.run, record.ownership
    return {
        "run_id": record.run_id,
        "thread_id": owned.thread_id,
        "owner": owned.owner,
        "status": run.status,
        "reason": run.terminal_reason or run.cancel_reason,
        "reason_class": run.terminal_reason_class,
        "latest_seq": run.latest_seq,
        "first_seq": owned.anchor.seq + 1,
        "frames": record.inbox.frames,
        "frames_waiting": record.frames_waiting,
        "head": run.head_hash,
        "updated_at": iso6(run.updated_at),
    }


def _table(record: RunRecord) -> Table:
    table = Table(show_header=False, box=None)
    for name, value in _described(record).items():
        if value is not None:
            table.add_row(name.replace("_", " "), str(value))
    return table


def _line(event: Recorded) -> str:
    text = dumps(event.payload)
    return f"{event.seq:>5}  {iso6(event.recorded_at)}  {event.type}  {text if len(text) <= 200 else text[:199] + '…'}"
