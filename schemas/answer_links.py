"""Answer links: whoever holds one may give this answer to this approval until it expires (ADR 15)."""

from datetime import UTC, datetime
from typing import Literal

import msgspec

from schemas import compact

Decision = Literal["accept", "deny"]


class InvalidLink(Exception):
    """Not made with this key."""


class AnswerLink(msgspec.Struct, frozen=True, array_like=True):
    """What a link may; `expires_s` is in unix seconds."""

    owner: str
    worker_id: str
    approval_id: str
    decision: Decision
    expires_s: int

    @property
    def expires_at(self) -> datetime:
        return datetime.fromtimestamp(self.expires_s, UTC)


def sealed(key: str, link: AnswerLink) -> str:
    """The link as a path's last part."""
    told = compact.encode_json(link)
    return f"{told}.{compact.signature(key.encode(), told)}"


def opened(key: str, token: str) -> AnswerLink:
    """Raises InvalidLink; whether it has expired is for the caller to see."""
    told, _, signature = token.partition(".")
    try:
        if compact.is_signed(key.encode(), told, signature):
            return msgspec.json.decode(compact.decode(told), type=AnswerLink)
    except (ValueError, msgspec.MsgspecError):
        pass
    raise InvalidLink
