"""When frames go in circles: every detector, its order and its thresholds (runtime §4.4)."""

from typing import Any

import pytest

from producers.loops import DEFAULTS, Detected, Seen, Thresholds, detect, seen
from schemas import hashing

TEXT = ("user_message", {"text": "hi"})
POLL = ("tool_result", {"tool_name": "command_status", "status": "running"})


def frames(*told: tuple[str, dict[str, Any]]) -> list[Seen]:
    return [seen(frame_type, payload, hashing.hex_digest(payload)) for frame_type, payload in told]


def after(*told: tuple[str, dict[str, Any]]) -> Detected | None:
    *before, current = frames(*told)
    return detect(before, current)


def note(number: int) -> tuple[str, dict[str, Any]]:
    return "note", {"n": number}


def tool(number: int) -> tuple[str, dict[str, Any]]:
    return "tool_output", {"n": number}


def test_ten_equal_frames_are_a_warning_and_nine_are_none() -> None:
    """runtime §4.4: generic_repeat"""
    assert after(*[TEXT] * 9) is None
    assert after(*[TEXT] * 10) == Detected("generic_repeat", "warning", 10)
    assert after(*[TEXT] * 19) == Detected("generic_repeat", "warning", 19)
    assert after(*[TEXT] * 20) == Detected("generic_repeat", "critical", 20)


def test_another_frame_in_between_begins_anew() -> None:
    """runtime §4.4: trailing equal signatures"""
    assert after(*[TEXT] * 9, note(1), *[TEXT] * 9) is None


def test_the_type_is_part_of_a_signature() -> None:
    """runtime §4.4: frame signature = type + H(payload)"""
    assert after(*[("note", {"text": "hi"})] * 5, *[TEXT] * 5) is None


def test_two_that_take_turns_are_a_ping_pong() -> None:
    """runtime §4.4: ping_pong"""
    assert after(*[note(1), note(2)] * 4, note(1)) is None
    assert after(*[note(1), note(2)] * 5) == Detected("ping_pong", "warning", 10)
    assert after(note(2), *[note(1), note(2)] * 10) == Detected("ping_pong", "critical", 21)


def test_three_that_take_turns_are_none() -> None:
    """runtime §4.4: exactly two different signatures"""
    assert after(*[note(1), note(2), note(3)] * 6) is None


def test_equal_frames_are_no_ping_pong() -> None:
    """runtime §4.4: two different signatures"""
    assert after(*[TEXT] * 12) == Detected("generic_repeat", "warning", 12)


def polls(frame_type: str, **payload: Any) -> Detected | None:
    """Ten that differ in what no poll signature covers."""
    return after(*((frame_type, payload | {"at": number}) for number in range(10)))


@pytest.mark.parametrize("frame_type", ["tool_result", "tool_status", "tool_call"])
@pytest.mark.parametrize(
    "payload",
    [
        {"tool_name": "command_status"},
        {"toolName": "command_status"},
        {"tool_name": "process", "action": "poll"},
        {"toolName": "process", "action": "log"},
    ],
)
def test_ten_equal_polls_are_no_progress(frame_type: str, payload: dict[str, Any]) -> None:
    """runtime §4.4: known_poll_no_progress"""
    assert polls(frame_type, **payload) == Detected("known_poll_no_progress", "warning", 10)


@pytest.mark.parametrize(
    ("frame_type", "payload"),
    [
        ("tool_output", {"tool_name": "command_status"}),
        ("tool_result", {"tool_name": "exec"}),
        ("tool_result", {"tool_name": "process", "action": "write"}),
        ("tool_result", {"tool_name": "process", "action": ["poll"]}),
        ("tool_result", {"action": "poll"}),
    ],
)
def test_what_is_no_poll_is_not_compared_as_one(frame_type: str, payload: dict[str, Any]) -> None:
    """runtime §4.4: which frames are polls"""
    assert polls(frame_type, **payload) is None


@pytest.mark.parametrize(
    "field", ["action", "status", "exit_code", "exitCode", "total_lines", "totalLines", "text", "output", "message"]
)
def test_a_poll_that_tells_something_new_is_progress(field: str) -> None:
    """runtime §4.4: what a poll signature covers"""
    told = [("tool_result", {"tool_name": "command_status", field: number // 5}) for number in range(10)]
    assert after(*told) is None


def test_a_poll_after_another_frame_begins_anew() -> None:
    """runtime §4.4: trailing equal poll signatures"""
    assert after(*[POLL] * 9, note(1), POLL) is None


def test_polls_come_before_repeats() -> None:
    """runtime §4.4: first hit wins"""
    assert after(*[POLL] * 10) == Detected("known_poll_no_progress", "warning", 10)


def test_thirty_frames_of_tools_break_the_circuit_whatever_they_say() -> None:
    """runtime §4.4, DEC-12: global_circuit_breaker counts any tool traffic"""
    kinds = ("tool_result", "tool_status", "tool_call", "tool_output", "agent_action")
    told = [(kinds[number % 5], {"n": number}) for number in range(30)]
    assert after(*told[:29]) is None
    assert after(*told) == Detected("global_circuit_breaker", "critical", 30)
    assert after(note(0), *told) == Detected("global_circuit_breaker", "critical", 30)


def test_the_breaker_comes_first() -> None:
    """runtime §4.4: first hit wins"""
    assert after(*[POLL] * 30) == Detected("global_circuit_breaker", "critical", 30)


def test_only_the_thirty_frames_before_count() -> None:
    """runtime §4.4: the previous 30 frames plus the current one"""
    spaced = [frame for number in range(15) for frame in (tool(number), note(number))]
    assert after(*map(tool, range(29)), *spaced, tool(99)) is None
    assert after(*[TEXT] * 40) == Detected("generic_repeat", "critical", 31)


def test_thresholds_are_put_in_order() -> None:
    """runtime §4.4: critical >= warning + 1, global >= critical + 1"""
    assert Thresholds(10, 10, 10).normalised() == (10, 11, 12)
    assert Thresholds(30).normalised() == (30, 31, 32)
    assert DEFAULTS == (10, 20, 30)
