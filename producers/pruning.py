"""Pruning a run: which payloads go and which ones the run's state is made of (runtime §1.4, DEC-38; ADR 14)."""

from typing import Final

from schemas.events import Recorded
from schemas.executions import RunErased
from schemas.runs_generated import PolicyDecision, RunCancelRequested, RunFinished

_STATE_IS_MADE_OF: Final = (RunCancelRequested.type, RunFinished.type, PolicyDecision.type, RunErased.type)


def goes(event: Recorded) -> bool:
    """Whether the run's state would be the same without what the event says.

    Of what clients wrote, the frames it names count as consumed (runtime §1.3).
    """
    names_a_frame = event.version == 0 and "frame_id" in event.payload
    return bool(event.payload) and not names_a_frame and event.type not in _STATE_IS_MADE_OF
