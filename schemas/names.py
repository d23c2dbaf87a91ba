"""How owners, streams and topics are called, in the log, on Kafka and on the socket."""

import re
from typing import Final

CONTROL_CHARACTERS: Final = re.compile(r"[\x00-\x1f\x7f]")

WORKER: Final = "worker"
RUN, OWNERSHIP, LEASE, INBOX = "run", "ownership", "lease", "inbox"
BUDGET, HOLD = "budget", "hold"
POLICY, DELIVERY, NOTIFICATION = "policy", "delivery", "notification"
"""Kinds of streams (ADR 14)."""

SYSTEM_OWNER: Final = "system"
"""Of what belongs to no user and no guest."""

RUN_SUMMARIES: Final = "runtime.run_summaries"
WORKER_SUMMARIES: Final = "runtime.codex_worker_summaries"
WORKER_EVENTS: Final = "runtime.codex_worker_events"
NOTIFICATIONS: Final = "runtime.notifications"
SYNC_TOPICS: Final = (RUN_SUMMARIES, WORKER_SUMMARIES, WORKER_EVENTS, NOTIFICATIONS)
"""Every topic of `sync:v1` (sync §6)."""

KAFKA_TOPICS: Final = {
    WORKER: "oa.workers",
    RUN: "oa.runs",
    OWNERSHIP: "oa.runs",
    LEASE: "oa.runs",
    INBOX: "oa.inbox",
    BUDGET: "oa.budgets",
    HOLD: "oa.budgets",
    POLICY: "oa.policies",
    DELIVERY: "oa.deliveries",
    NOTIFICATION: "oa.notifications",
}
"""Kafka topic by stream kind (DESIGN §5, ADR 14)."""
TOPICS: Final = tuple(dict.fromkeys(KAFKA_TOPICS.values()))

NOTIFY_LOG: Final = "oa_log"
NOTIFY_JOURNAL: Final = "oa_journal"


def user_owner(user_id: int) -> str:
    return f"user:{user_id}"


def guest_owner(scope: str) -> str:
    return f"guest:{scope}"


def owner_user_id(owner: str) -> int | None:
    return int(owner.removeprefix("user:")) if owner.startswith("user:") else None


def owner_guest_scope(owner: str) -> str | None:
    return owner.removeprefix("guest:") if owner.startswith("guest:") else None


def worker_stream(owner: str, worker_id: str) -> str:
    return f"{WORKER}/{owner}/{worker_id}"


def worker_id_of(stream: str) -> str:
    return stream.rsplit("/", 1)[1]


def run_stream(run_id: str) -> str:
    return f"{RUN}/{run_id}"


def ownership_stream(run_id: str) -> str:
    return f"{OWNERSHIP}/{run_id}"


def inbox_stream(run_id: str) -> str:
    return f"{INBOX}/{run_id}"


def lease_stream(run_id: str) -> str:
    return f"{LEASE}/{run_id}"


def run_id_of(stream: str) -> str:
    """Of a run's own stream, its ownership, inbox or lease."""
    return name_of(stream)


def kinds_of(topic: str) -> tuple[str, ...]:
    """The kinds of streams that a Kafka topic has."""
    return tuple(kind for kind, its_topic in KAFKA_TOPICS.items() if its_topic == topic)


def kind_of(stream: str) -> str:
    return stream.split("/", 1)[0]


def name_of(stream: str) -> str:
    """The stream's name without its kind."""
    return stream.split("/", 1)[1]


def delivery_stream(event_id: str) -> str:
    return f"{DELIVERY}/{event_id}"


def policy_stream(owner: str, name: str) -> str:
    return f"{POLICY}/{owner}/{name}"


def policy_name_of(stream: str) -> str:
    return stream.rsplit("/", 1)[1]


def budget_stream(authorization_id: str) -> str:
    return f"{BUDGET}/{authorization_id}"


def budget_id_of(stream: str) -> str:
    return stream.removeprefix(f"{BUDGET}/")


def hold_stream(hold_id: str) -> str:
    return f"{HOLD}/{hold_id}"


def notification_stream(owner: str, notification_id: str) -> str:
    return f"{NOTIFICATION}/{owner}/{notification_id}"


def kafka_key(stream: str) -> bytes:
    """What a topic is partitioned by: the same for all kinds of streams of one name (DESIGN §5)."""
    return name_of(stream).encode()
