"""Audits what is new once a minute, in one of the processes that could, and tells everybody's metrics."""

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import msgspec
import structlog

from processors import metrics
from processors.audit import last
from processors.audit.audit import FOLDS, Audit, Report
from schemas.cancellation import raise_if_cancelled

if TYPE_CHECKING:
    from asyncpg import Pool

LOGGER = structlog.get_logger()

PERIOD = timedelta(minutes=1)
LOOK_S = 5.0


async def run(pool: "Pool[Any]", audit: Audit, period: timedelta = PERIOD) -> None:
    """Until cancelled. A failed audit never ends the process that hosts it: the next period tries again."""
    while True:
        try:
            await look(pool, audit, period)
        except Exception:
            LOGGER.exception("no audit")
        raise_if_cancelled()
        await asyncio.sleep(LOOK_S)


async def look(pool: "Pool[Any]", audit: Audit, period: timedelta) -> None:
    """Audit when it is time, and show what is known."""
    after = await last.claim(pool, period)
    if after is not None:
        report = await audit.run(after, FOLDS)
        await last.record(pool, report)
        _count(report)
        if report.differences:
            LOGGER.error("audit found differences", **msgspec.structs.asdict(report))
    if found := await last.last(pool):
        metrics.AUDIT_POSITION.set(found.position)
        metrics.AUDIT_DIFFERENCES.set(found.differences)
        metrics.AUDIT_AGREED.set(found.agreed_at.timestamp() if found.agreed_at else 0)


def _count(report: Report) -> None:
    """Documents that differ are drift; what differs in topics and journal was published otherwise than written."""
    for part in report.parts:
        if part.component == "documents":
            metrics.DRIFTS.labels(part.name, "audit").inc(part.differences)
        else:
            failures = metrics.PARITY_FAILURES.labels("sync_dual_publish", "audit", part.component, "different")
            failures.inc(part.differences)
