"""What `oa worker status` tells of a worker and of its daemon on this machine."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import msgspec

from oa_client.workers import Limits, Usage, Worker


class Status(msgspec.Struct, frozen=True):
    """`worker` is None when the edge does not know it or could not be asked: then `problem` says why."""

    worker_id: str
    edge: str
    process_id: int | None
    log: str
    worker: Worker | None
    problem: str | None = None


def lines(status: Status, now: datetime) -> Iterator[str]:
    yield f"{status.worker_id} at {status.edge}"
    running = f"running as process {status.process_id}" if status.process_id else "not running here"
    yield f"  process    {running}; log {status.log}"
    if status.worker is None:
        yield f"  edge       {status.problem}"
        return
    yield f"  daemon     {_daemon(status.worker, now)}"
    if status.worker.consumed_seq is not None:
        yield f"  events     {_lag(status.worker)}"
    if approvals := status.worker.open_approvals:
        yield f"  approvals  {', '.join(approvals)}: `oa approve` shows what is asked"
    if status.worker.usage:
        yield f"  usage      {_usage(status.worker.usage, status.worker.limits or Limits())}"


def _daemon(worker: Worker, now: datetime) -> str:
    if worker.status != "running":
        return f"the worker is {worker.status}"
    if worker.busy:
        return f"working on {worker.busy.what or 'a turn'}{_since(worker.busy.since, now)}"
    seen = _since(worker.daemon_seen_at, now)
    return {
        None: "none was ever heard of",
        "asleep": f"asleep: nothing heard{seen}",
        "gone": f"gone: nothing heard{seen}",
        "off": f"off{seen}",
    }.get(worker.daemon_state, str(worker.daemon_state))


def _since(at: str | None, now: datetime) -> str:
    return f" for {_span(now - datetime.fromisoformat(at).astimezone(UTC))}" if at else ""


def _span(span: timedelta) -> str:
    seconds = max(int(span.total_seconds()), 0)
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"


def _lag(worker: Worker) -> str:
    behind = max(worker.latest_seq - (worker.consumed_seq or 0), 0)
    return (
        f"{worker.latest_seq}, {behind} of them not yet read by the daemon"
        if behind
        else f"{worker.latest_seq}, all read"
    )


def _usage(usage: Usage, limits: Limits) -> str:
    cap = f" of {limits.day_tokens}" if limits.day_tokens is not None else ""
    turn_cap = f"; at most {limits.turn_tokens} a turn" if limits.turn_tokens is not None else ""
    return f"{usage.day_tokens}{cap} tokens on {usage.day}, {usage.total_tokens} in {usage.turns} turns{turn_cap}"
