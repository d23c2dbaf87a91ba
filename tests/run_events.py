"""A run's events as tests of its views want them: in one log, whatever kind of stream they are of."""

from typing import Final

from schemas import names
from schemas.events import NewEvent, Recorded
from schemas.runs_generated import RunCancelRequested, RunCreated, RunDelta, RunFinished, RunFrameConsumed, RunStarted
from tests.worker_events import Log

RUN_ID: Final = "run_demo"
CREATED: Final = RunCreated(RUN_ID, "thr_demo")
ENDED: Final = RunFinished("succeeded", "completed", "done", frame_id="f-4")
LIFE: Final[tuple[NewEvent, ...]] = (
    RunStarted(),
    RunDelta("Bon", "f-1"),
    RunDelta(" \n", "f-2"),
    RunFrameConsumed("f-3", "note", {"k": 1}),
    RunDelta("jour", "f-5"),
    ENDED,
)
CANCEL: Final = RunCancelRequested("enough", requested_by="control_plane")


class RunLog(Log):
    """Knows by an event's type which of the run's streams it is of."""

    def append(  # type: ignore[override]
        self, event: NewEvent, run_id: str = RUN_ID, *, owner: str = "user:41", kind: str | None = None
    ) -> Recorded:
        kind = kind or (names.OWNERSHIP if event.type in ("run.created", "run.pruned") else names.RUN)
        return self.append_to(f"{kind}/{run_id}", event, owner)
