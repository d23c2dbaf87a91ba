"""What heartbeats tell of a daemon, however badly written they are (runtime §7.4, ADR 13)."""

from datetime import timedelta
from typing import Any

import pytest

from producers.daemons import Daemon, heard
from schemas.daemons import Busy
from tests.worker_histories import NOON, heartbeat, recorded

STALE_AFTER = timedelta(seconds=120)
BUSY = {"what": "turn", "since": "2026-02-20T11:59:00Z", "thread_id": "t", "turn_id": "u"}


def after(*heartbeats: dict[str, Any]) -> Daemon:
    daemon: Daemon | None = None
    for told in heartbeats:
        daemon = heard(daemon, recorded(heartbeat(**told), 100, NOON))
    assert daemon is not None
    return daemon


def test_a_heartbeat_tells_everything_anew() -> None:
    assert after({"busy": BUSY, "consumed_seq": 7}) == Daemon(NOON, True, True, Busy(**BUSY), 7)
    assert after({"busy": BUSY}, {"accepts_requests": None}) == Daemon(NOON)


@pytest.mark.parametrize(("told", "consumed"), [(5, 9), (12, 12), (100, 9), (-1, 9), ("12", 9), (True, 9), (None, 9)])
def test_the_greatest_consumed_seq_counts(told: Any, consumed: int) -> None:
    assert after({"consumed_seq": 9}, {"consumed_seq": told}).consumed_seq == consumed


@pytest.mark.parametrize("busy", ["turn", {"what": "turn"}, BUSY | {"what": "x" * 256}, BUSY | {"turn_id": 5}, [BUSY]])
def test_a_misshapen_busy_says_nothing(busy: Any) -> None:
    assert after({"busy": busy}).busy is None


def test_whoever_says_goodbye_is_not_busy() -> None:
    assert after({"busy": BUSY, "daemon": "off"}).busy is None


def test_busy_may_lack_a_thread() -> None:
    assert after({"busy": {"what": "starting", "since": "now", "thread_id": None}}).busy == Busy("starting", "now")


def test_a_stranger_is_not_heard() -> None:
    assert heard(None, recorded(heartbeat(source="ios"), 2, NOON)) is None


@pytest.mark.parametrize(
    ("told", "age_s", "state"),
    [
        ({"busy": BUSY}, 120, "working"),
        ({}, 120, "idle"),
        ({"busy": BUSY}, 121, "asleep"),
        ({}, 24 * 3600, "asleep"),
        ({}, 24 * 3600 + 1, "gone"),
        ({"daemon": "off", "busy": BUSY}, 0, "off"),
        ({"daemon": "off"}, 10**6, "off"),
    ],
)
def test_how_a_daemon_is(told: dict[str, Any], age_s: int, state: str) -> None:
    assert after(told).state(NOON + timedelta(seconds=age_s), STALE_AFTER) == state
