"""What of an overview needs a human: the names that the alerts have in docs/operators.md, and where it stands."""

from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

LATE_AFTER_S: Final = {"relay": 30.0, "view": 60.0, "reaction": 60.0, "edge": 30.0}
AUDIT_OLD_AFTER_S: Final = 1800.0
HOPS: Final = {"view": "views", "reaction": "reactions"}
DOES: Final = {"edge": "edge", "relay": "relay", "processors": "views"}
"""What stands still when no process of a kind runs."""

Told = Mapping[str, Any]


class Alarm(NamedTuple):
    """`hop` is the part of the way from the log to clients that is concerned, if it is one."""

    alert: str
    hop: str | None
    text: str


def attention(told: Told) -> list[dict[str, Any]]:
    """What stops everything comes first."""
    return [alarm._asdict() for alarm in _all(told)]


def _all(told: Told) -> Iterator[Alarm]:
    if reason := told["log"]["suspended"]:
        yield Alarm("LogSuspended", "log", reason)
    yield from _processes(told["processes"])
    yield from _late(told)
    yield from _parked(told["quarantine"])
    if number := told["log"]["timers_overdue"]:
        yield Alarm("TimersOverdue", "log", f"{_counted(number, 'deadline')} passed more than a minute ago")
    if audit := told["audit"]:
        yield from _audit(audit)


def _processes(processes: list[Told]) -> Iterator[Alarm]:
    for kind, hop in DOES.items():
        running = [one for one in processes if one["kind"] == kind and one["runs"]]
        if not running:
            yield Alarm("ProcessDown", hop, f"No process says that it is the {kind} and runs.")
        for one in running:
            if not one["ready"]:
                where = f"{kind} on {one['host']} (process {one['pid']})"
                yield Alarm("ProcessDown", hop, f"The {where} does not get on: {one['state']}")


def _late(told: Told) -> Iterator[Alarm]:
    if (late_s := told["relay"]["lag_seconds"]) > LATE_AFTER_S["relay"]:
        yield Alarm("RelayLagHigh", "relay", f"Kafka has not acknowledged what was recorded {_span(late_s)} ago.")
    for one in told["followers"]:
        if (late_s := one["lag_seconds"]) > LATE_AFTER_S[one["kind"]]:
            text = f"{one['name']} has not come to what was recorded {_span(late_s)} ago."
            yield Alarm("ProjectionStuck", HOPS[one["kind"]], text)
    for one in (told["tail"], *told["journal"]):
        if (late_s := one["lag_seconds"]) > LATE_AFTER_S["edge"]:
            where = one.get("topic", "the log")
            yield Alarm("ProcessDown", "edge", f"This edge has not read what came to {where} {_span(late_s)} ago.")


def _parked(quarantine: list[Told]) -> Iterator[Alarm]:
    reactions = sum(one["version"] is None for one in quarantine)
    if documents := len(quarantine) - reactions:
        yield Alarm("QuarantineNotEmpty", "views", f"{_counted(documents, 'document')} parked.")
    if reactions:
        yield Alarm("QuarantineNotEmpty", "reactions", f"{_counted(reactions, 'reaction')} parked.")


def _audit(audit: Told) -> Iterator[Alarm]:
    if number := audit["differences"]:
        yield Alarm("AuditDifferences", None, f"The audit found {_counted(number, 'difference')}.")
    elif (audit["agreed_seconds_ago"] or 0) > AUDIT_OLD_AFTER_S:
        yield Alarm("AuditStale", None, f"No audit has agreed for {_span(audit['agreed_seconds_ago'])}.")


def _span(seconds: float) -> str:
    """Coarse, so that the text stays the same from look to look."""
    for least, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= least:
            return f"{seconds // least:.0f} {unit}"
    return "half a minute"


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
