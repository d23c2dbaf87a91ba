"""The shapes of events that the server relies on (ADR 13)."""

from typing import Any

import pytest

from producers.errors import InvalidRequest
from tests.unit.test_claims import APPROVAL, USED
from tests.worker_histories import Timeline

CLAIM = {"message_id": "m", "seq": 3, "claim_id": "c", "daemon_id": "d"}
ANSWERED = {"approval_id": "a-1", "decision": "accept", "cause": "answered"}
LARGEST = 2**63 - 1


@pytest.mark.parametrize(
    ("event_type", "payload"),
    [
        ("worker.message.claimed", CLAIM | {"seq": LARGEST, "message_id": "x" * 255}),
        ("worker.turn.usage", USED | {"total_tokens": LARGEST, "model": "stub"}),
        ("worker.turn.usage", USED | {"input_tokens": 0, "outcome": "over_limit"}),
        ("worker.limits.set", {}),
        ("worker.limits.set", {"turn_tokens": 0, "set_by": {}}),
        ("worker.approval.requested", APPROVAL | {"kind": "file_change", "changes": [{"path": "a", "diff": "+"}]}),
        ("worker.approval.answered", ANSWERED | {"request_id": "r", "answered_by": {"owner": "user:1", "token": None}}),
    ],
)
def test_a_typed_event_is_recorded_as_it_came_with_version_1(event_type: str, payload: dict[str, Any]) -> None:
    assert Timeline().append(event_type, **payload) == {"type": event_type, "version": 1} | payload


@pytest.mark.parametrize(
    ("event_type", "payload", "named"),
    [
        ("worker.request.claimed", {"request_id": "r", "claim_id": "c"}, "daemon_id"),
        ("worker.request.claimed", {"request_id": "", "claim_id": "c", "daemon_id": "d"}, "request_id must"),
        ("worker.message.claimed", CLAIM | {"source": "x"}, "no field 'source'"),
        ("worker.message.claimed", CLAIM | {"seq": 0}, "seq must"),
        ("worker.message.claimed", CLAIM | {"seq": "3"}, "seq"),
        ("worker.message.claimed", CLAIM | {"seq": LARGEST + 1}, "seq must"),
        ("worker.message.claimed", CLAIM | {"message_id": "x" * 256}, "message_id must"),
        ("worker.message.claimed", CLAIM | {"claim_id": "a\x1fb"}, "claim_id must"),
        ("worker.turn.usage", USED | {"output_tokens": -1}, "output_tokens must"),
        ("worker.turn.usage", USED | {"total_tokens": LARGEST + 1}, "total_tokens must"),
        ("worker.turn.usage", USED | {"input_tokens": True}, "input_tokens"),
        ("worker.turn.usage", USED | {"outcome": "done"}, "outcome must"),
        ("worker.limits.set", {"turn_tokens": None}, "turn_tokens"),
        ("worker.limits.set", {"set_by": {"secret": "x"}}, "set_by must"),
        ("worker.limits.set", {"set_by": {"token": {"a": 1}}}, "set_by must"),
        ("worker.approval.requested", APPROVAL | {"kind": "other"}, "kind must"),
        ("worker.approval.requested", APPROVAL | {"choices": []}, "choices must"),
        ("worker.approval.requested", APPROVAL | {"choices": ["accept", "always"]}, "choices must"),
        ("worker.approval.requested", APPROVAL | {"choices": "accept"}, "choices must"),
        ("worker.approval.requested", APPROVAL | {"changes": ["a"]}, "changes must"),
        ("worker.approval.requested", APPROVAL | {"expires_at": "soon"}, "expires_at must"),
        ("worker.approval.answered", ANSWERED | {"decision": "maybe"}, "decision must"),
        ("worker.approval.answered", ANSWERED | {"cause": "why not"}, "cause must"),
        ("worker.message.expired", {"message_id": "m"}, "the server alone"),
    ],
)
def test_a_wrong_shape_is_refused_by_name(event_type: str, payload: dict[str, Any], named: str) -> None:
    timeline = Timeline()
    before = timeline.worker
    with pytest.raises(InvalidRequest, match=named):
        timeline.append(event_type, **payload)
    assert timeline.worker is before


def test_a_typed_event_is_redacted_but_for_who_asked() -> None:
    told = APPROVAL | {"command": "curl -H 'Authorization: Bearer abcdef'", "cwd": "/home/me"}
    assert (
        Timeline().append("worker.approval.requested", **told)["command"]
        == "curl -H 'Authorization: Bearer [REDACTED]'"
    )
    somebody = {"owner": "user:1", "client": "x", "token": "my phone"}
    answered = Timeline().append("worker.approval.answered", **ANSWERED | {"answered_by": somebody})
    assert answered["answered_by"] == somebody
