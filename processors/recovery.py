"""Lost executors: whoever finds an expired lease tells it and takes the run up itself (runtime §4.3, DEC-9, DEC-10)."""

from collections import Counter
from collections.abc import Callable
from typing import Any

from processors import executor_metrics
from producers.eventlog.commands import Item, Outcome
from producers.eventlog.log import EventLog
from producers.eventlog.timers import Due
from producers.execution import TellLost, parts, tell_lost
from schemas.events import Recorded
from schemas.names import run_id_of
from schemas.runs_generated import RunExecutorLost, RunFinished


class Recovery:
    """Wakes leases; a `Waker` of the timers. `take_over` is told of runs whose lease `name` has now."""

    def __init__(self, name: str, take_over: Callable[[Recorded], object]) -> None:
        self._name = name
        self._take_over = take_over
        self._cycle: Counter[str] = Counter()

    async def wake(self, log: EventLog, due: Due) -> Outcome[Any]:
        run_id = run_id_of(due.stream)
        command = TellLost(run_id, self._name)
        [outcome] = await log.execute_together(tell_lost, parts(run_id, due.owner), [Item(command)])
        told = {event.type: event for event in outcome.events}
        if RunExecutorLost.type not in told:
            self._cycle["skipped"] += 1
        elif RunFinished.type in told:
            self._cycle["failed"] += 1
        else:
            self._cycle["resumed"] += 1
            self._take_over(told[RunExecutorLost.type])
        return outcome

    def swept(self) -> None:
        executor_metrics.swept(self._cycle["resumed"], self._cycle["failed"], self._cycle["skipped"])
        self._cycle.clear()
