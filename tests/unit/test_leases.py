"""One executor at a time has a run: every outcome of the operations on a lease (runtime §1.6, DEC-9, DEC-11)."""

from datetime import timedelta

import pytest

from producers.errors import Conflict, NotFound, Rejection
from producers.leases import DECIDER, Acquire, Command, Lease, MarkProgress, Release, Renew, decide, wake_at
from schemas.events import NewEvent
from schemas.executions import LeaseFramesPassed, LeaseLost
from schemas.runs_generated import LeaseAcquired, LeaseReleased
from tests.run_histories import NOON, bodies, given_lease

EXPIRY = "2026-02-20T12:00:30.000000Z"
AT_EXPIRY = NOON + timedelta(seconds=30)
HELD_BY_A = LeaseAcquired("acquired", "a", EXPIRY, 5)


def lease(*events: NewEvent) -> Lease:
    state = given_lease(*events)
    assert state is not None
    return state


def refused(state: Lease | None, command: Command, at: timedelta = timedelta()) -> tuple[type[Rejection], str | None]:
    with pytest.raises(Rejection) as caught:
        decide(state, command, NOON + at)
    return type(caught.value), caught.value.reason_code


def test_a_lease_that_nobody_had_is_acquired_without_progress() -> None:
    """runtime §1.6: acquire, no row"""
    [told] = bodies(decide(None, Acquire("a", 7), NOON))
    assert told == {
        "type": "lease.acquired",
        "outcome": "acquired",
        "lease_owner": "a",
        "lease_expires_at": EXPIRY,
        "last_progress_seq": 0,
    }


def test_the_owner_renews() -> None:
    """runtime §1.6: acquire, row has the same owner; expiry and heartbeat move"""
    [told] = decide(lease(HELD_BY_A), Acquire("a", 9), NOON + timedelta(seconds=20))
    assert told == LeaseAcquired("renewed", "a", "2026-02-20T12:00:50.000000Z", 5)
    holder = lease(HELD_BY_A, told).holder
    assert holder is not None
    assert holder.heartbeat_at == NOON + timedelta(seconds=2)


def test_somebody_else_is_refused_until_it_expires() -> None:
    """runtime §1.6: lease_held"""
    before = timedelta(seconds=30, microseconds=-1)
    assert refused(lease(HELD_BY_A), Acquire("b", 9), before) == (Conflict, "lease_held")


def test_an_expiry_equal_to_now_counts_as_expired() -> None:
    """runtime §1.6: stolen keeps the progress"""
    [told] = decide(lease(HELD_BY_A), Acquire("b", 5), AT_EXPIRY)
    assert told == LeaseAcquired("stolen", "b", "2026-02-20T12:01:00.000000Z", 5)


def test_whoever_knows_less_of_the_run_does_not_steal() -> None:
    """runtime §1.6: lease_progressed"""
    assert refused(lease(HELD_BY_A), Acquire("b", 4), timedelta(seconds=30)) == (Conflict, "lease_progressed")


def test_only_the_owner_renews() -> None:
    """runtime §1.6: renew"""
    [told] = decide(lease(HELD_BY_A), Renew("a"), NOON + timedelta(seconds=40))
    assert told == LeaseAcquired("renewed", "a", "2026-02-20T12:01:10.000000Z", 5)
    assert refused(lease(HELD_BY_A), Renew("b")) == (Conflict, "not_owner")
    assert refused(None, Renew("a")) == (NotFound, "not_found")


def test_only_the_owner_marks_progress_and_never_backwards() -> None:
    """runtime §1.6: mark_progress; the expiry stays"""
    assert decide(lease(HELD_BY_A), MarkProgress("a", 5), NOON) == [LeaseAcquired("renewed", "a", EXPIRY, 5)]
    assert decide(lease(HELD_BY_A), MarkProgress("a", 8), NOON) == [LeaseAcquired("renewed", "a", EXPIRY, 8)]
    assert refused(lease(HELD_BY_A), MarkProgress("a", 4)) == (Conflict, "not_owner")
    assert refused(lease(HELD_BY_A), MarkProgress("b", 8)) == (Conflict, "not_owner")
    assert refused(None, MarkProgress("a", 8)) == (NotFound, "not_found")


def test_a_released_lease_is_free_and_remembers_the_progress() -> None:
    """DEC-9"""
    [told] = decide(lease(HELD_BY_A), Release("a"), NOON)
    assert told == LeaseReleased("a", 5)
    free = lease(HELD_BY_A, told)
    assert (free.holder, free.last_progress_seq, wake_at(free)) == (None, 5, None)
    assert bodies(decide(free, Acquire("b", 5), NOON))[0]["outcome"] == "acquired"
    assert refused(free, Release("a")) == (NotFound, "not_found")
    assert refused(lease(HELD_BY_A), Release("b")) == (Conflict, "not_owner")


def test_of_two_first_acquirers_the_second_sees_that_it_is_held() -> None:
    """DEC-11"""
    [first] = decide(None, Acquire("a", 0), NOON)
    assert refused(lease(first), Acquire("b", 0)) == (Conflict, "lease_held")


def test_somebody_is_woken_when_it_expires_by_whole_seconds() -> None:
    """runtime §4.3"""
    assert wake_at(lease(HELD_BY_A)) == AT_EXPIRY
    later = LeaseAcquired("acquired", "a", "2026-02-20T12:00:30.000001Z", 5)
    assert wake_at(lease(later)) == AT_EXPIRY + timedelta(seconds=1)


def test_what_was_passed_over_is_counted() -> None:
    """runtime §1.3"""
    assert lease(LeaseFramesPassed(2), HELD_BY_A, LeaseFramesPassed(1)).passed == 3


def test_what_stands_for_a_lost_event_changes_nothing() -> None:
    """ADR 11"""
    assert DECIDER.stand_in(4) == LeaseLost()
    assert lease(HELD_BY_A, LeaseLost()) == lease(HELD_BY_A)
