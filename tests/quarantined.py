"""A view that refuses some events, as one does whose code has a fault."""

from dataclasses import replace

from readmodels.engine import View
from readmodels.workers import SUMMARIES, Summary, apply
from schemas.events import OpenEvent, Recorded

POISON = OpenEvent("worker.event", {"poison": True}, version=0)


def _refuse(summary: Summary | None, event: Recorded) -> Summary:
    if event.payload.get("poison"):
        raise ValueError("poison")
    return apply(summary, event)


FAULTY: View[Summary] = replace(SUMMARIES, apply=_refuse)
"""The same view before its code was mended."""
