"""Workers as tests want them: folded from events a second apart, told things at a time of the test's choice."""

from datetime import UTC, datetime, timedelta
from typing import Any

from producers.workers import AppendEvent, Command, SendRequest, Worker, decide, evolve
from schemas.events import NewEvent, OpenEvent, Recorded
from schemas.names import worker_stream
from schemas.workers import WorkerStarted

NOON = datetime(2026, 2, 20, 12, tzinfo=UTC)
STREAM = worker_stream("user:41", "desktopw:demo")
STARTED = WorkerStarted(status="running", adapter="in_memory", workspace_ref=None, codex_home_ref=None, metadata={})


def given(*events: NewEvent) -> Worker | None:
    worker: Worker | None = None
    for seq, event in enumerate(events, start=1):
        worker = evolve(worker, recorded(event, seq, NOON + timedelta(seconds=seq)))
    return worker


def recorded(event: NewEvent, seq: int, at: datetime) -> Recorded:
    return Recorded(
        *(seq, "worker", STREAM, seq, event.type, event.version, "user:41", event.body(), b"", {}), recorded_at=at
    )


def heartbeat(**told: Any) -> OpenEvent:
    """Of a daemon that takes requests."""
    says = {"source": "autopilot-desktop", "daemon": "on", "accepts_requests": True}
    return OpenEvent("worker.heartbeat", says | told, version=0)


class Timeline:
    """One worker whose daemon was heard at noon; `at` is the seconds since then."""

    def __init__(self, *events: NewEvent) -> None:
        self.at = 0.0
        self.seq = 0
        self.events: list[NewEvent] = []
        self.state: Worker | None = None
        self._take([STARTED, heartbeat(), *events])

    @property
    def now(self) -> datetime:
        return NOON + timedelta(seconds=self.at)

    @property
    def worker(self) -> Worker:
        assert self.state is not None
        return self.state

    def tell(self, command: Command) -> list[dict[str, Any]]:
        """What the command's events say, each with its type and version."""
        events = decide(self.state, command, self.now)
        self._take(events)
        return [{"type": event.type, "version": event.version} | event.body() for event in events]

    def append(self, event_type: str, **payload: Any) -> dict[str, Any]:
        [event] = self.tell(AppendEvent(event_type, payload))
        return event

    def message(self, message_id: str, expires_in_s: float) -> None:
        expires_at = (self.now + timedelta(seconds=expires_in_s)).isoformat()
        params = {"message_id": message_id, "text": "go", "expires_at": expires_at}
        self.append("worker.event", method="ios/user_message", params=params)

    def ask(self, request_id: str, **more: Any) -> list[dict[str, Any]]:
        return self.tell(SendRequest(request_id, "thread/list", **more))

    def claim(self, request_id: str, claim_id: str = "s:claim:1") -> dict[str, Any]:
        return self.append("worker.request.claimed", request_id=request_id, claim_id=claim_id, daemon_id="s")

    def claim_message(self, message_id: str, *, expires: bool = False) -> dict[str, Any]:
        claim = {"message_id": message_id, "seq": 3, "claim_id": "s:claim:1", "daemon_id": "s"}
        [event] = self.tell(AppendEvent("worker.message.claimed", claim, expires))
        return event

    def answer(self, request_id: str, kind: str = "worker.response") -> dict[str, Any]:
        return self.append(kind, request_id=request_id, response={"jsonrpc": "2.0", "id": request_id, "result": {}})

    def _take(self, events: list[NewEvent]) -> None:
        for event in events:
            self.seq += 1
            self.events.append(event)
            self.state = evolve(self.state, recorded(event, self.seq, self.now))
