"""Whatever happens in whatever order, a run and its lease keep their rules (runtime §1.2–1.6, §4; DEC-9, 10, 13).

The model is written from the contract: what the run's log has to say, who has the lease, and until when.
"""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from producers import leases, runs
from producers.chain import Link, walk
from producers.errors import Conflict, Rejection
from producers.eventlog.commands import Decider
from producers.execution import Pass, TellLost, cursor, execute, frame, tell_lost
from producers.leases import Acquire, Lease, MarkProgress, Release, Renew
from producers.runs import AppendRunEvent, EraseRun, RequestCancel, Run
from schemas import canonical_json, hashing
from schemas.events import NewEvent, Recorded
from schemas.inbox_generated import FrameReceived
from schemas.names import inbox_stream, lease_stream, run_stream
from tests.run_histories import NOON, RUN_ID, folded, recorded

EXECUTORS = st.sampled_from("ab")
KINDS = {
    "user_message": ["run.delta"],
    "note": ["run.frame_consumed"],
    "cancel": ["run.cancel_requested", "run.finished"],
    "complete": ["run.finished"],
    "fail": ["run.finished"],
}
ENDINGS = {"cancel": "canceled", "complete": "succeeded", "fail": "failed"}
TTL_S = 30


class Streams:
    """Run and lease as the log keeps them."""

    def __init__(self) -> None:
        self.events: dict[str, list[Recorded]] = {run_stream(RUN_ID): [], lease_stream(RUN_ID): []}
        self.states: dict[str, Any] = dict.fromkeys(self.events)
        self.now = NOON

    def append(self, stream: str, new: NewEvent) -> None:
        decider: Decider[Any, Any] = runs.DECIDER if stream == run_stream(RUN_ID) else leases.DECIDER
        event = recorded(stream, len(self.events[stream]) + 1, new, self.now)
        self.events[stream].append(event)
        self.states[stream] = decider.evolve(self.states[stream], event)

    @property
    def run(self) -> Run | None:
        state: Run | None = self.states[run_stream(RUN_ID)]
        return state

    @property
    def lease(self) -> Lease | None:
        state: Lease | None = self.states[lease_stream(RUN_ID)]
        return state


class Runs(RuleBasedStateMachine):
    @initialize()
    def begin(self) -> None:
        self.streams = Streams()
        self.inbox: list[Recorded] = []
        self.frames: list[str] = []
        self.done = 0
        self.log: list[str] = []
        self.status = "created"
        self.losses = 0
        self.holder: str | None = None
        self.expires_s = 0.0
        self.s = 0.0

    # --- what happens -----------------------------------------------------------------------------------------------

    @rule(kind=st.sampled_from([*KINDS, "user_message", "note"]))
    def send(self, kind: str) -> None:
        number = len(self.frames)
        payload = {"text": f"{number}"} if kind == "user_message" else {"n": number}
        told = FrameReceived(f"f-{number}", kind, payload, hashing.hex_digest(payload))
        self.inbox.append(recorded(inbox_stream(RUN_ID), number + 1, told, self.streams.now))
        self.frames.append(kind)

    @rule()
    def cancel(self) -> None:
        self._told(run_stream(RUN_ID), runs.decide(self.streams.run, RequestCancel("x"), self.streams.now))
        if self.status in ("created", "running"):
            self.status = "canceling"
            self.log.append("run.cancel_requested")

    @rule(event_type=st.sampled_from(["tool.call", "run.delta", "anything"]))
    def tell(self, event_type: str) -> None:
        """From outside; consumes nothing."""
        told = AppendRunEvent(event_type, {"delta": "x"})
        self._told(run_stream(RUN_ID), runs.decide(self.streams.run, told, self.streams.now))
        self.log.append(event_type)

    @rule()
    def erase(self) -> None:
        self._told(run_stream(RUN_ID), runs.decide(self.streams.run, EraseRun(), self.streams.now))
        self.log.append("run.erased")

    @rule(seconds=st.sampled_from([0.5, 10.0, 29.5, 30.0]))
    def wait(self, seconds: float) -> None:
        self.s += seconds
        self.streams.now = NOON + timedelta(seconds=self.s)

    @rule(executor=EXECUTORS, back=st.integers(0, 3), count=st.integers(0, 6))
    def execute(self, executor: str, back: int, count: int) -> None:
        """A pass that may begin with what is done already, and may leave some for later."""
        after = max(self.done - back, 0)
        through = min(after + count, len(self.inbox))
        entries = [frame(event) for event in self.inbox[after:through]]
        command = Pass(RUN_ID, executor, after, entries, more=through < len(self.inbox))
        held = self._held_by_another(executor)
        if held and self.status not in ENDINGS.values():
            with pytest.raises(Conflict, match="another executor"):
                execute(self.streams.states, command, self.streams.now)
            return
        self._write(execute(self.streams.states, command, self.streams.now))
        self._expect_pass(executor, through, more=command.more)

    @precondition(lambda self: len(self.inbox) > 0)
    @rule(executor=EXECUTORS)
    def execute_too_far(self, executor: str) -> None:
        """Told of a frame before the one that comes next."""
        if self.done >= len(self.inbox) or self.status not in ("created", "running"):
            return
        if self._held_by_another(executor):
            return
        command = Pass(RUN_ID, executor, self.done + 1, [frame(event) for event in self.inbox[self.done + 1 :]])
        assert execute(self.streams.states, command, self.streams.now) == []

    @rule(executor=EXECUTORS)
    def look_for_lost(self, executor: str) -> None:
        self._write(tell_lost(self.streams.states, TellLost(RUN_ID, executor), self.streams.now))
        if self.holder is None or self.s < self.expires_s:
            return
        if self.status in ENDINGS.values():
            self.holder = None
            return
        self.losses += 1
        self.log.append("run.executor_lost")
        if self.losses > 3:
            self.log.append("run.finished")
            self.status, self.holder = "failed", None
        else:
            self.holder, self.expires_s = executor, self.s + TTL_S

    @rule(executor=EXECUTORS, what=st.sampled_from(["acquire", "renew", "mark", "release"]))
    def by_hand(self, executor: str, what: str) -> None:
        """The operations of runtime §1.6, each by itself."""
        seq = len(self.streams.events[run_stream(RUN_ID)])
        commands: dict[str, leases.Command] = {
            "acquire": Acquire(executor, seq),
            "renew": Renew(executor),
            "mark": MarkProgress(executor, seq),
            "release": Release(executor),
        }
        command = commands[what]
        if expected := self._expected_refusal(executor, what):
            with pytest.raises(Rejection) as refused:
                leases.decide(self.streams.lease, command, self.streams.now)
            assert refused.value.reason_code == expected
            return
        self._told(lease_stream(RUN_ID), leases.decide(self.streams.lease, command, self.streams.now))
        if what == "release":
            self.holder = None
        elif what != "mark":
            self.holder, self.expires_s = executor, self.s + TTL_S

    # --- what has to hold -------------------------------------------------------------------------------------------

    @invariant()
    def the_run_says_what_the_model_says(self) -> None:
        run = self.streams.run
        events = self.streams.events[run_stream(RUN_ID)]
        assert [event.type for event in events] == self.log
        assert (run.status if run else "created") == self.status
        assert self.log.count("run.started") <= 1
        assert self.log.count("run.finished") <= 1
        if self.status not in ENDINGS.values():
            assert cursor(run, self.streams.lease) == self.done

    @invariant()
    def the_chain_holds(self) -> None:
        events = self.streams.events[run_stream(RUN_ID)]
        run = self.streams.run
        assert walk(RUN_ID, Link(), events) == Link(len(events), run.head_hash if run else None)

    @invariant()
    def the_lease_is_whose_the_model_says(self) -> None:
        lease = self.streams.lease
        holder = lease.holder if lease else None
        assert (holder.lease_owner if holder else None) == self.holder
        if lease and holder:
            assert (holder.lease_expires_at - NOON).total_seconds() == self.expires_s
            wake_at = leases.wake_at(lease)
            assert wake_at is not None
            assert 0 <= (wake_at - holder.lease_expires_at).total_seconds() < 1

    @invariant()
    def states_are_folds_and_survive_being_stored(self) -> None:
        for decider, stream in ((runs.DECIDER, run_stream(RUN_ID)), (leases.DECIDER, lease_stream(RUN_ID))):
            state = self.streams.states[stream]
            assert folded(decider, self.streams.events[stream]) == state
            if state is not None:
                assert canonical_json.decode_as(canonical_json.in_given_order(state), decider.state) == state

    # --- the model's own steps --------------------------------------------------------------------------------------

    def _expect_pass(self, executor: str, through: int, *, more: bool) -> None:
        if self.status in ENDINGS.values():
            self.holder = None
        elif self.status == "canceling":
            self._end("canceled")
        elif through >= self.done:
            self._expect_frames(through)
            keeps = more and self.status not in ENDINGS.values()
            self.holder, self.expires_s = (executor, self.s + TTL_S) if keeps else (None, 0.0)

    def _expect_frames(self, through: int) -> None:
        if through > self.done and self.status == "created":
            self.status = "running"
            self.log.append("run.started")
        while self.done < through:
            kind = self.frames[self.done]
            self.done += 1
            if kind in ENDINGS:
                self.log += KINDS[kind][:-1]
                return self._end(ENDINGS[kind])
            self.log += KINDS[kind]
            self.losses = 0
        return None

    def _end(self, status: str) -> None:
        self.log.append("run.finished")
        self.status, self.holder = status, None

    def _held_by_another(self, executor: str) -> bool:
        return self.holder not in (None, executor) and self.s < self.expires_s

    def _expected_refusal(self, executor: str, what: str) -> str | None:
        if what == "acquire":
            return "lease_held" if self._held_by_another(executor) else None
        if self.holder is None:
            return "not_found"
        return None if self.holder == executor else "not_owner"

    def _told(self, stream: str, events: list[NewEvent]) -> None:
        self._write([(stream, event) for event in events])

    def _write(self, written: list[tuple[str, NewEvent]]) -> None:
        for stream, event in written:
            self.streams.append(stream, event)


TestRuns = Runs.TestCase
TestRuns.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
