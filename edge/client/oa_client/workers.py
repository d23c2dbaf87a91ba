"""Workers and their events as the wire carries them (runtime §2.13–2.17, sync §14.1)."""

from typing import Any

import msgspec

Payload = dict[str, Any]


class Busy(msgspec.Struct, frozen=True):
    """What a daemon is at; `what` is in its own words, `since` is RFC 3339."""

    thread_id: str | None = None
    turn_id: str | None = None
    what: str | None = None
    since: str | None = None


class Usage(msgspec.Struct, frozen=True):
    """Tokens of turns that ended; `day` is the UTC day that `day_tokens` counts."""

    day: str
    day_tokens: int
    total_tokens: int
    turns: int


class Limits(msgspec.Struct, frozen=True):
    """Caps on tokens; None is no cap."""

    turn_tokens: int | None = None
    day_tokens: int | None = None


class Worker(msgspec.Struct, frozen=True):
    """A list item or a snapshot; the first four are always there (edge §2.6).

    From `daemon_seen_at` on it tells what the daemon itself said (docs/adr/0013): `daemon_state` is working, idle,
    asleep (silent for minutes), gone (for a day), off (said goodbye), or None when there never was one. What was sent
    up to `consumed_seq` is dealt with; `open_approvals` are ids that `RemoteWorker.approve` takes.
    """

    worker_id: str
    status: str
    latest_seq: int
    adapter: str
    workspace_ref: str | None = None
    metadata: Any = None
    started_at: str | None = None
    stopped_at: str | None = None
    updated_at: str | None = None
    last_heartbeat_at: str | None = None
    heartbeat_state: str | None = None
    khala_projection: Payload | None = None
    daemon_seen_at: str | None = None
    daemon_state: str | None = None
    busy: Busy | None = None
    accepts_requests: bool = False
    consumed_seq: int | None = None
    usage: Usage | None = None
    limits: Limits | None = None
    open_approvals: tuple[str, ...] = ()


class CreatedWorker(msgspec.Struct, frozen=True, rename="camel"):
    worker_id: str
    status: str
    latest_seq: int
    idempotent_replay: bool


class PostedEvent(msgspec.Struct, frozen=True):
    worker_id: str
    seq: int
    event_type: str
    payload: Payload
    occurred_at: str


class NewEvent(msgspec.Struct, frozen=True):
    """An event to post in a batch; its id makes posting it again harmless (runtime DEC-47)."""

    event_id: str
    event_type: str
    payload: Payload


class AcceptedEvent(msgspec.Struct, frozen=True):
    event_id: str
    seq: int
    idempotent_replay: bool


class AcceptedBatch(msgspec.Struct, frozen=True):
    worker_id: str
    events: list[AcceptedEvent]


class WorkerAnswer(msgspec.Struct, frozen=True):
    worker_id: str
    request_id: str
    ok: bool
    response: Any


class StoppedWorker(msgspec.Struct, frozen=True):
    worker_id: str
    status: str
    idempotent_replay: bool


class WorkerEvent(msgspec.Struct, frozen=True, rename="camel"):
    """A recorded event, the same on the stream and on the socket; `seq` is gap-free per worker."""

    worker_id: str
    seq: int
    event_type: str
    payload: Payload
    occurred_at: str


class SentMessage(msgspec.Struct, frozen=True):
    """A message that is in the log as event `seq`."""

    message_id: str
    seq: int


class Change(msgspec.Struct, frozen=True):
    """What an approval would do to one file."""

    path: str
    kind: Any = None
    diff: str = ""


class Approval(msgspec.Struct, frozen=True):
    """What an agent asks before it acts; silence denies after `expires_at` (docs/adr/0013)."""

    approval_id: str
    kind: str | None = None
    command: str | None = None
    cwd: str | None = None
    reason: str | None = None
    changes: list[Change] | None = None
    choices: list[str] | None = None
    expires_at: str | None = None
    thread_id: str | None = None
    turn_id: str | None = None


def user_message(text: str, message_id: str, *, sent_from: str = "oa-client", **choices: str | None) -> Payload:
    """A message as phones write it (edge §2.12), with the choices that are made: mode, thread_id, expires_at."""
    chosen = {name: value for name, value in choices.items() if value is not None}
    return {
        "source": sent_from,
        "method": "ios/user_message",
        "message_id": message_id,
        "params": {"message_id": message_id, "text": text, "sent_from": sent_from, **chosen},
    }


_HEARTBEATS = ("stale", "fresh")


def preferred(workers: list[Worker]) -> Worker | None:
    """The worker a phone would pick (edge §2.12, step 4)."""
    return max(workers, key=_preference, default=None)


def _preference(worker: Worker) -> tuple[Any, ...]:
    source = worker.metadata.get("source") if isinstance(worker.metadata, dict) else None
    heartbeat = worker.heartbeat_state or ""
    return (
        worker.status == "running",
        worker.adapter == "desktop_bridge" or worker.worker_id.startswith("desktopw:") or source == "autopilot-desktop",
        ":shared" in worker.worker_id,
        _HEARTBEATS.index(heartbeat) + 1 if heartbeat in _HEARTBEATS else 0,
        worker.last_heartbeat_at or "",
        worker.started_at or "",
        worker.latest_seq,
        worker.worker_id,
    )
