"""What a bench prints: our figure and the peer's, from one run."""

import os
import statistics
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

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


class Run(NamedTuple):
    """One side of one round; `per_cpu_second` is 0 when it was not measured."""

    per_second: float
    latencies_ms: Sequence[float] = ()
    per_cpu_second: float = 0.0


def beside(name: str, unit: str, rounds: Sequence[tuple[Run, Run]]) -> Figure:
    """Ours and the peer's medians, and the median of the rounds' ratios."""
    figure = by_itself(name, unit, [ours for ours, _ in rounds])
    figure.peer = median(peer.per_second for _, peer in rounds)
    figure.ratio = median(ours.per_second / peer.per_second for ours, peer in rounds)
    return figure


def by_itself(name: str, unit: str, rounds: Sequence[Run]) -> Figure:
    """The median of the rounds, percentiles over all of them."""
    figure = Figure(name, median(one.per_second for one in rounds), unit, None, None)
    if latencies_ms := [latency_ms for one in rounds for latency_ms in one.latencies_ms]:
        figure.p50_ms, figure.p99_ms = percentile(latencies_ms, 0.5), percentile(latencies_ms, 0.99)
    return figure


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


def rss_kib(pid: int) -> int:
    """Resident memory of a process and its descendants; pages that they share count for each of them."""
    return _memory_kib(pid, "status", "VmRSS:")


def pss_kib(pid: int) -> int:
    """The same, with shared pages divided by those who share them."""
    return _memory_kib(pid, "smaps_rollup", "Pss:")


def _memory_kib(pid: int, file: str, field: str) -> int:
    total = 0
    for member in descendants(pid):
        with suppress(FileNotFoundError, ProcessLookupError):  # it has ended meanwhile
            lines = Path(f"/proc/{member}/{file}").read_text().splitlines()
            total += sum(int(line.split()[1]) for line in lines if line.startswith(field))
    return total


def children_cpu_s() -> float:
    """Of our children that have ended."""
    times = os.times()
    return times.children_user + times.children_system


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
    table = Table("case", "ours", "", "peer", "ratio", "p50 ms", "p99 ms", "CPU ratio", title=figure.name)
    for row in [figure, *figure.cases]:
        values = (row.peer, row.ratio, row.p50_ms, row.p99_ms, row.cpu_ratio)
        table.add_row(row.name, _shown(row.ours), row.unit, *map(_shown, values))
    Console().print(table)


def _shown(value: float | None) -> str:
    return "–" if value is None else f"{value:,.2f}"


def _rounded(value: Any) -> Any:
    match value:
        case float():
            return round(value, 3)
        case dict():
            return {key: _rounded(item) for key, item in value.items()}
        case list():
            return [_rounded(item) for item in value]
    return value
