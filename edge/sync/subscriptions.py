"""What a client may subscribe to: the payloads of `sync:subscribe` and `sync:unsubscribe` (sync §8, §11).

Refused                a request that changed nothing; carries the error reply's response
├── BadSubscription    bad_subscription
└── ForbiddenTopic     forbidden_topic
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from schemas import names

_MAX_WATERMARK = 2**63 - 1
STALE_MESSAGE = "Rows after this cursor are no longer kept; load the current state and subscribe without a cursor."


class Refused(Exception):
    def __init__(self, response: dict[str, Any]) -> None:
        super().__init__(response["code"])
        self.response = response


class BadSubscription(Refused):
    def __init__(self) -> None:
        super().__init__({"code": "bad_subscription"})


class ForbiddenTopic(Refused):
    def __init__(self, topics: Sequence[str]) -> None:
        super().__init__({"code": "forbidden_topic", "forbidden_topics": list(topics)})


@dataclass(frozen=True)
class Subscription:
    """A legal request; `cursors` has the explicit ones only, `batch_rows` None means the server's default."""

    topics: tuple[str, ...]
    cursors: Mapping[str, int]
    batch_rows: int | None


class StaleTopic(NamedTuple):
    """A cursor below the newest row that this principal can no longer get (sync §15.3, SD-2)."""

    topic: str
    resume_after: int
    retention_floor: int


def allowed_topics(scopes: Sequence[str]) -> tuple[str, ...]:
    """Scopes that are known topics, in token order (sync §4.2)."""
    return tuple(dict.fromkeys(scope for scope in scopes if scope in names.SYNC_TOPICS))


def requested_topics(payload: Any) -> tuple[str, ...]:
    """Strings of `topics`, trimmed, without empty ones and repetitions; raises BadSubscription when none is left."""
    topics = payload.get("topics") if isinstance(payload, dict) else None
    if not isinstance(topics, list):
        raise BadSubscription
    trimmed = (topic.strip() for topic in topics if isinstance(topic, str))
    if not (normalised := tuple(dict.fromkeys(filter(None, trimmed)))):
        raise BadSubscription
    return normalised


def subscription(payload: Any, allowed: Collection[str]) -> Subscription:
    """The request in `payload`, checked in the order of sync §8.2; raises Refused."""
    topics = requested_topics(payload)
    for permitted in (names.SYNC_TOPICS, allowed):
        if forbidden := [topic for topic in topics if topic not in permitted]:
            raise ForbiddenTopic(forbidden)
    cursors = _cursors(payload.get("resume_after"))
    wanted = {topic: cursors[topic] for topic in topics if topic in cursors}
    return Subscription(topics, wanted, _batch_rows(payload.get("replay_batch_size")))


def stale_response(stale: Sequence[StaleTopic]) -> dict[str, Any]:
    """What both the `sync:error` push and the error reply carry (sync §12)."""
    return {
        "code": "stale_cursor",
        "message": STALE_MESSAGE,
        "full_resync_required": True,
        "stale_topics": [topic._asdict() for topic in stale],
    }


def _cursors(resume_after: Any) -> dict[str, int]:
    match resume_after:
        case None:
            return {}
        case dict():
            return {topic: _watermark(value) for topic, value in resume_after.items()}
        case list():
            return dict(map(_cursor, resume_after))
    raise BadSubscription


def _cursor(entry: Any) -> tuple[str, int]:
    match entry:
        case {"topic": str(topic), "watermark": watermark}:
            return topic, _watermark(watermark)
    raise BadSubscription


def _watermark(value: Any) -> int:
    if type(value) is not int or not 0 <= value <= _MAX_WATERMARK:
        raise BadSubscription
    return value


def _batch_rows(value: Any) -> int | None:
    return value if type(value) is int and value > 0 else None
