"""`oa policy explain` and `oa policy simulate`: which rule denied, and what a file would have refused."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, Final

import msgspec
import typer
from rich.markup import escape
from rich.table import Table

from ops.commands.connection import connected
from ops.commands.options import Data, screen, telling_errors
from ops.settings import Settings, of_this_process
from ops.stack.processes import StackError
from producers import policy_history
from producers.eventlog.reader import LogReader
from producers.policy_calls import LONGEST_WINDOW
from producers.policy_documents import Document, InvalidPolicy, document, parsed
from producers.policy_explanation import Explanation, explained, fired
from producers.policy_rules import ActiveSet, Rules
from producers.policy_simulation import Refusal, Report, Simulation
from schemas.events import Payload
from schemas.times import iso6, parse

File = Annotated[Path, typer.Argument(metavar="FILE", help="A policy set, .toml or .json.", show_default=False)]
Owner = Annotated[str, typer.Option("--owner", metavar="O", help="Whose: user:41, or guest:SCOPE.", show_default=False)]
AsJson = Annotated[bool, typer.Option("--json", help="For scripts: one JSON object.")]
Since = Annotated[
    str,
    typer.Option("--since", metavar="T", help="A time, ISO-8601, or how long ago: 90m, 24h, 7d.", show_default=False),
]
DecisionId = Annotated[str, typer.Argument(metavar="DECISION_ID", help="`policy_decision_id` of a denial.")]

_UNITS: Final = {"m": "minutes", "h": "hours", "d": "days"}


def explain(decision_id: DecisionId, data: Data = None, as_json: AsJson = False) -> None:
    """Say which rule denied a call, and from which inputs."""
    with telling_errors():
        explanation = asyncio.run(_explanation(of_this_process(data), decision_id))
        if as_json:
            print(msgspec.json.encode(explanation).decode())
        else:
            _tell_explanation(explanation)


def simulate(file: File, owner: Owner, since: Since, data: Data = None, as_json: AsJson = False) -> None:
    """Say what a file would have refused of an owner's calls, and what it would have saved."""
    with telling_errors():
        drafted, beginning = checked(read(file)), moment(since, datetime.now(UTC))
        report = asyncio.run(_simulated(of_this_process(data), drafted, owner, beginning))
        if as_json:
            print(json.dumps(_as_object(report)))
        else:
            _tell_report(report, drafted.name, beginning)


def read(file: Path) -> Payload:
    """A policy file's object, whatever it says. Raises StackError."""
    if file.suffix not in (".toml", ".json"):
        raise StackError(f"{file}: a policy set is a .toml or a .json file")
    try:
        return parsed(file.read_text(encoding="utf-8"), toml=file.suffix == ".toml")
    except InvalidPolicy as error:
        raise StackError(f"{file}: {error}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise StackError(f"{file}: {error}") from error


def checked(written: Payload) -> Document:
    """Raises StackError with a line a mistake."""
    try:
        return document(written)
    except InvalidPolicy as error:
        count = len(error.errors)
        raise StackError("\n".join([f"{count} mistake{'s' * (count > 1)}", *error.errors])) from None


def moment(since: str, now: datetime) -> datetime:
    """A time, or so long before now."""
    unit = _UNITS.get(since[-1:])
    try:
        if unit and since[:-1].isdecimal():
            return now - timedelta(**{unit: int(since[:-1])})
        at = parse(since)
    except (ValueError, OverflowError):
        raise StackError(f"not a time: {since!r}; write it as 2026-02-20T12:00:00Z, or as 7d") from None
    return at if at.tzinfo else at.replace(tzinfo=UTC)


# --- explaining -----------------------------------------------------------------------------------------------------


async def _explanation(settings: Settings, decision_id: str) -> Explanation:
    async with connected(settings) as pool:
        event = await policy_history.decision(pool, decision_id)
        if event is None:
            raise StackError(f"the log has no policy.decision with the id {decision_id}")
        which = fired(event)
        written = await policy_history.proposed(pool, event.owner, *which) if which else None
        return explained(event, written)


def _tell_explanation(explanation: Explanation) -> None:
    told = explanation.told
    asked, which, again = told.get("amount_sats"), told.get("rule"), explanation.again
    lines = {
        "decision": f"{told.get('decision')}, {told.get('reason_code')}",
        "because": told.get("detail"),
        "call": f"{told.get('tool_call_id')} of run {explanation.run_id}, {explanation.at}",
        "asked for": None if asked is None else f"{asked} sats",
        "of": f"{told.get('authorization_id')}, {told.get('authorization_mode')}",
        "budget": _pairs(told.get("budget") or {}),
        "rule": f"{which.get('rule')} of {which.get('set')}, version {which.get('version')}" if which else None,
        "written": _json(explanation.rule),
        "inputs": _json(told.get("inputs")),
        "again": None if again is None else "the same decision" if again else "another decision: the evaluator changed",
    }
    _print(lines)


def _json(value: Any) -> str | None:
    return None if value is None else json.dumps(value, ensure_ascii=False)


def _pairs(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {'–' if value is None else value}" for name, value in values.items())


def _print(lines: Mapping[str, Any]) -> None:
    for name, value in lines.items():
        if value is not None:
            screen.print(f"{name:<12}{value}", markup=False, soft_wrap=True)


# --- simulating -----------------------------------------------------------------------------------------------------


async def _simulated(settings: Settings, drafted: Document, owner: str, since: datetime) -> Report:
    simulation = Simulation(Rules([ActiveSet(0, drafted)]), since)
    async with connected(settings) as pool:
        reader = LogReader(pool)
        after, head = await reader.position_before(since - LONGEST_WINDOW), (await reader.head()).position
        async for event in policy_history.calls(pool, owner, after, head):
            simulation.take(event)
    return simulation.report


def _as_object(report: Report) -> Payload:
    counts = {"calls": report.calls, "denied": report.denied, "refused": report.refused}
    examples = [_example(refusal) for refusal in report.examples]
    return counts | msgspec.structs.asdict(report.money) | {"examples": examples}


def _example(refusal: Refusal) -> Payload:
    return {
        "position": refusal.position,
        "at": iso6(refusal.at),
        "run_id": refusal.run_id,
        "tool_call_id": refusal.tool_call_id,
        "tool": refusal.facts.tool,
        "host": refusal.facts.host,
        "amount_sats": refusal.facts.amount_sats,
        "rule": refusal.fired.rule,
        "reason_code": refusal.fired.reason_code,
    }


def _tell_report(report: Report, name: str, since: datetime) -> None:
    refused, money = sum(report.refused.values()), report.money
    lines = {
        "since": iso6(since),
        "calls": f"{report.calls:,}, of which {report.denied:,} were denied then",
        name: f"would have refused {refused:,}",
        "saved": f"{_sats(money.saved_msats)} that these spent, of {_sats(money.refused_msats)} held",
        "cost": f"{_sats(money.spent_msats)} would have been spent all the same, of {_sats(money.held_msats)} held",
    }
    _print(lines)
    if refused:
        screen.print(_by_rule(report.refused))
        screen.print(_newest(report.examples))


def _sats(msats: int) -> str:
    return f"{msats / 1000:,.0f} sats"


def _by_rule(refused: Mapping[str, int]) -> Table:
    table = Table("rule", "calls it would have refused")
    for rule, calls in sorted(refused.items(), key=lambda each: -each[1]):
        table.add_row(rule, f"{calls:,}")
    return table


def _newest(examples: Sequence[Refusal]) -> Table:
    table = Table("at", "run", "call", "tool", "host", "sats", "rule", title="the newest of them")
    for one in examples:
        facts = one.facts
        cells = (iso6(one.at), one.run_id, one.tool_call_id, facts.tool, facts.host, facts.amount_sats, one.fired.rule)
        table.add_row(*("–" if cell is None else escape(str(cell)) for cell in cells))
    return table
