"""What a run's event stream says of each event; payloads are untouched (runtime §2.17)."""

from producers.eventlog.commands import dumps
from schemas.events import Payload, Recorded
from schemas.names import run_id_of
from schemas.runs_generated import RunDelta, RunFinished, RunStarted


def run_frame(event: Recorded) -> str:
    """`event`, `id`, `data`; behind the end of the run `[DONE]` as well, with the same id (runtime §2.17)."""
    frame = f"event: message\nid: {event.seq}\ndata: "
    told = f"{frame}{dumps(_told_of_run(event))}\n\n"
    return f"{told}{frame}[DONE]\n\n" if event.type == RunFinished.type else told


def _told_of_run(event: Recorded) -> Payload:
    run_id, payload = run_id_of(event.stream), event.payload
    match event.type:
        case RunStarted.type:
            return {"type": "start", "runId": run_id, "meta": payload}
        case RunDelta.type | "text.delta":
            return {"type": "text-delta", "runId": run_id, "delta": payload.get("delta") or payload.get("text") or ""}
        case "tool.call":
            return {"type": "tool-call", "runId": run_id, "toolCall": payload}
        case "tool.result":
            return {"type": "tool-result", "runId": run_id, "toolResult": payload}
        case RunFinished.type:
            return {"type": "finish", "runId": run_id, "meta": payload}
    return {"type": "event", "runId": run_id, "eventType": event.type, "payload": payload}
