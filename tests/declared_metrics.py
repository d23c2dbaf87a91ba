"""The metrics that our rooms declare, and the table of runtime §9 that holds them."""

import importlib
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from prometheus_client.metrics import MetricWrapperBase

ROOT = Path(__file__).parents[1]
PREFIX = "openagents_runtime_"
ROOMS = ("schemas", "producers", "readmodels", "processors", "edge", "ops")
FORBIDDEN = {
    *(
        "run_id",
        "thread_id",
        "frame_id",
        "tool_call_id",
        "authorization_id",
        "lease_owner",
        "traceparent",
        "tracestate",
    ),
    *("x_request_id", "seq", "cursor", "user_id", "guest_scope"),
    *("worker_id", "owner", "stream", "position"),
}
"""Ids: runtime §9's, and ours."""


class Metric(NamedTuple):
    kind: str
    labels: tuple[str, ...]


class Table(NamedTuple):
    """`to_come` and `left_out` say of names who will declare them or why nobody does."""

    metrics: dict[str, Metric]
    to_come: dict[str, str]
    left_out: dict[str, str]


def table() -> Table:
    told = tomllib.loads((ROOT / "tests/vectors/metrics.toml").read_text(encoding="utf-8"))
    metrics = {
        _exposed(name): Metric(kind, tuple(labels))
        for kind in ("counter", "gauge", "histogram")
        for name, labels in told[kind].items()
    }
    to_come, left_out = ({_exposed(name): why for name, why in told[part].items()} for part in ("to_come", "left_out"))
    return Table(metrics, to_come, left_out)


def _exposed(name: str) -> str:
    return PREFIX + name.replace(".", "_")


def modules() -> Iterator[str]:
    """Every room's `metrics.py`, as Python names it."""
    for path in sorted(path for room in ROOMS for path in (ROOT / room).rglob("metrics.py")):
        yield ".".join(path.relative_to(ROOT).with_suffix("").parts)


def declared() -> dict[str, Metric]:
    """By the name they were declared with; the exposition adds `_total` to counters."""
    values = (value for module in modules() for value in vars(importlib.import_module(module)).values())
    return {metric._name: _described(metric) for metric in values if isinstance(metric, MetricWrapperBase)}


def _described(metric: MetricWrapperBase) -> Metric:
    return Metric(str(metric._type), tuple(metric._labelnames))
