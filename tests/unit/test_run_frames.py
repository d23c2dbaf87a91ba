"""What a run's event stream says of each event (runtime §2.17, DEC-16, DEC-17)."""

import json
from typing import Any

import pytest

from edge.run_frames import run_frame
from schemas.events import OpenEvent, Payload
from schemas.names import run_stream
from tests.run_histories import NOON, recorded

RUN = {"runId": "run_demo"}
DENIED = {"reason_code": "policy_denied.nobody_knows"}


def framed(event_type: str, payload: Payload) -> str:
    return run_frame(recorded(run_stream("run_demo"), 3, OpenEvent(event_type, payload, version=0), NOON))


@pytest.mark.parametrize(
    ("event_type", "payload", "told"),
    [
        ("run.started", {"actor": "a"}, {"type": "start", **RUN, "meta": {"actor": "a"}}),
        ("run.delta", {"delta": "Bon", "frame_id": "f"}, {"type": "text-delta", **RUN, "delta": "Bon"}),
        ("run.delta", {}, {"type": "text-delta", **RUN, "delta": ""}),
        ("text.delta", {"text": "jour"}, {"type": "text-delta", **RUN, "delta": "jour"}),
        ("text.delta", {"delta": "a", "text": "b"}, {"type": "text-delta", **RUN, "delta": "a"}),
        ("tool.call", {"tool_call_id": "t"}, {"type": "tool-call", **RUN, "toolCall": {"tool_call_id": "t"}}),
        ("tool.result", DENIED, {"type": "tool-result", **RUN, "toolResult": DENIED}),
        ("run.finished", {"status": "failed"}, {"type": "finish", **RUN, "meta": {"status": "failed"}}),
        ("made.up", {"b": 1, "a": 2}, {"type": "event", **RUN, "eventType": "made.up", "payload": {"b": 1, "a": 2}}),
    ],
)
def test_each_type_has_its_words(event_type: str, payload: Payload, told: dict[str, Any]) -> None:
    """In the given order of keys; codes that nobody knows stream on (DEC-17)."""
    name, seq, data = framed(event_type, payload).split("\n\n")[0].split("\n")
    assert (name, seq) == ("event: message", "id: 3")
    assert list(json.loads(data.removeprefix("data: ")).items()) == list(told.items())
    assert list(json.loads(data.removeprefix("data: ")).get("payload", {})) == list(told.get("payload", {}))


def test_only_the_end_of_a_run_is_two_frames_with_one_id() -> None:
    assert framed("run.finished", {}).endswith("}\n\nevent: message\nid: 3\ndata: [DONE]\n\n")
    assert framed("run.delta", {}).count("\n\n") == 1
