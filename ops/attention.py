"""What of an overview needs a human, by the names that the alerts have in docs/operators.md."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

LATE_AFTER_S: Final = {"relay": 30.0, "view": 60.0, "reaction": 60.0, "edge": 30.0}
AUDIT_OLD_AFTER_S: Final = 1800.0
KINDS: Final = ("edge", "relay", "processors")

Told = Mapping[str, Any]


def attention(told: Told) -> list[dict[str, str]]:
    """The worst first; what follows from something else is left to that."""
    return [{"alert": alert, "text": text} for alert, text in _all(told)]


def _all(told: Told) -> Iterator[tuple[str, str]]:
    if reason := told["log"]["suspended"]:
        yield "LogSuspended", reason
    yield from _processes(told["processes"])
    yield from _late(told)
    if number := len(told["quarantine"]):
        yield "QuarantineNotEmpty", f"{number} {'thing is' if number == 1 else 'things are'} parked"
    if number := told["log"]["timers_overdue"]:
        yield "TimersOverdue", f"{number} {'deadline' if number == 1 else 'deadlines'} passed more than a minute ago"
    if audit := told["audit"]:
        yield from _audit(audit)


def _processes(processes: list[Told]) -> Iterator[tuple[str, str]]:
    for kind in KINDS:
        running = [one for one in processes if one["kind"] == kind and one["runs"]]
        if not running:
            yield "ProcessDown", f"no {kind} process runs" if kind != "edge" else "no edge tells that it runs"
        for one in running:
            if not one["ready"]:
                yield "ProcessDown", f"{kind} on {one['host']} (process {one['pid']}) does not get on: {one['state']}"


def _late(told: Told) -> Iterator[tuple[str, str]]:
    if (late_s := told["relay"]["lag_seconds"]) > LATE_AFTER_S["relay"]:
        yield "RelayLagHigh", f"Kafka has not acknowledged what was recorded {late_s:.0f} s ago"
    for one in told["followers"]:
        if (late_s := one["lag_seconds"]) > LATE_AFTER_S[one["kind"]]:
            yield "ProjectionStuck", f"{one['name']} has not come to what was recorded {late_s:.0f} s ago"
    for one in (told["tail"], *told["journal"]):
        if (late_s := one["lag_seconds"]) > LATE_AFTER_S["edge"]:
            name = one.get("topic", "the log")
            yield "ProcessDown", f"this edge has not read what was written to {name} {late_s:.0f} s ago"


def _audit(audit: Told) -> Iterator[tuple[str, str]]:
    if number := audit["differences"]:
        yield "AuditDifferences", f"the audit found {number} {'difference' if number == 1 else 'differences'}"
    elif (audit["agreed_seconds_ago"] or 0) > AUDIT_OLD_AFTER_S:
        yield "AuditStale", f"no audit has agreed for {audit['agreed_seconds_ago'] / 60:.0f} minutes"
