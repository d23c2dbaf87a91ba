"""What a bench prints: our figure and the peer's, from one run."""

import os
import statistics
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
from rich.console import Console
from rich.table import Table

_TICKS = os.sysconf("SC_CLK_TCK")


class Figure(msgspec.Struct, omit_defaults=True):
    """One measurement (DESIGN §10); without a peer `peer` and `ratio` are null and `ours` is the p50."""

    name: str
    ours: float
    unit: str
    peer: float | None
    ratio: float | None
    p50_ms: float | None = None
    p99_ms: float | None = None
    cpu_ratio: float | None = None
    rss_kib: int | None = None
    cases: list["Figure"] = []


def percentile(values: Sequence[float], share: float) -> float:
    """`share` from 0 to 1 of sorted or unsorted values."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def median(values: Iterable[float]) -> float:
    return statistics.median(values)


def cpu_s(pid: int) -> float:
    """User and system time of a process and all its descendants, dead ones that were waited for included."""
    total = 0.0
    for member in descendants(pid):
        try:
            fields = Path(f"/proc/{member}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        total += sum(int(field) for field in fields[11:15]) / _TICKS
    return total


def descendants(pid: int) -> list[int]:
    found = [pid]
    for member in found:
        with suppress(OSError):  # it has ended meanwhile
            for children in Path(f"/proc/{member}/task").glob("*/children"):
                found += [int(child) for child in children.read_text().split()]
    return found


def show(figure: Figure, *, as_json: bool) -> None:
    """One JSON object, or a table for people."""
    if as_json:
        print(msgspec.json.encode(_rounded(msgspec.to_builtins(figure))).decode())
        return
    table = Table(
        "case", "ours", "peer", "ratio", "p50 ms", "p99 ms", "CPU ratio", title=f"{figure.name}, {figure.unit}"
    )
    for row in [figure, *figure.cases]:
        values = (row.ours, row.peer, row.ratio, row.p50_ms, row.p99_ms, row.cpu_ratio)
        table.add_row(row.name, *("–" if value is None else f"{value:,.2f}" for value in values))
    Console().print(table)


def _rounded(value: Any) -> Any:
    match value:
        case float():
            return round(value, 3)
        case dict():
            return {key: _rounded(item) for key, item in value.items()}
        case list():
            return [_rounded(item) for item in value]
    return value
