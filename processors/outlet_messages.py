"""What outlets are told of a notification: what it is about, and for an approval how to answer it (ADR 15)."""

import math
from collections.abc import Mapping
from datetime import datetime
from typing import Final, NamedTuple

from producers.notifications import APPROVAL_WAITING
from readmodels import approvals
from readmodels.approvals import Approval
from readmodels.journal import JournalRow
from schemas import times
from schemas.answer_links import AnswerLink, Decision, sealed
from schemas.events import Payload
from schemas.names import NOTIFICATIONS

TEST: Final = "test"
ANSWERS: Final[Mapping[str, Decision]] = {"approve": "accept", "deny": "deny"}
_TELLING: Final = ("notification_id", "status", "cause", "title", "subject", "raised_at", "cleared_at")
_MAX_TEXT: Final = 600
_MAX_PATHS: Final = 10


class Links(NamedTuple):
    """Where answers are given; without a key there are none."""

    origin: str
    key: str


NO_LINKS: Final = Links("", "")


def message_id(outlet_id: int, watermark: int) -> str:
    """The same however often it is sent, so that whoever has it already can drop it."""
    return f"ntf_{outlet_id}_{watermark}"


def of(outlet_id: int, row: JournalRow, document: Payload, approval: Approval, links: Links) -> Payload:
    asked = approval.asked.payload if approval.asked else None
    return {
        "id": message_id(outlet_id, row.watermark),
        "topic": NOTIFICATIONS,
        "watermark": row.watermark,
        "notification": {name: document[name] for name in _TELLING},
        "approval": _short(approvals.brief(asked)) if asked else None,
        "answers": _answers(row.owner, document, links) if is_question(document) else None,
    }


def of_test(test_id: str, now: datetime) -> Payload:
    notification = dict.fromkeys(_TELLING) | {
        "notification_id": TEST,
        "status": "open",
        "cause": TEST,
        "title": "This is a test",
        "subject": {},
        "raised_at": times.iso6(now),
    }
    return {
        "id": test_id,
        "topic": TEST,
        "watermark": None,
        "notification": notification,
        "approval": None,
        "answers": None,
    }


def is_question(document: Payload) -> bool:
    """Is it something that waits for an answer?"""
    return bool(document["cause"] == APPROVAL_WAITING and document["status"] == "open")


def expires_at(document: Payload) -> datetime:
    """Of a question: silence denies from then on."""
    return times.parse(document["subject"]["expires_at"])


def _answers(owner: str, document: Payload, links: Links) -> dict[str, str] | None:
    if not links.key:
        return None
    subject, expires_s = document["subject"], math.ceil(expires_at(document).timestamp())
    sealed_links = {
        name: sealed(links.key, AnswerLink(owner, subject["worker_id"], subject["approval_id"], decision, expires_s))
        for name, decision in ANSWERS.items()
    }
    return {name: f"{links.origin}/answer/{token}" for name, token in sealed_links.items()}


def _short(brief: Payload) -> Payload:
    """Small enough for a push service, which takes 4 KB."""
    cut = {name: value[:_MAX_TEXT] if isinstance(value, str) else value[:_MAX_PATHS] for name, value in brief.items()}
    return cut | ({"truncated": True} if cut != brief else {})
