"""The hash chain of a run's events: what a link is made of, and where it breaks (runtime §1.4, DEC-34, DEC-38)."""

import hashlib
from collections.abc import Iterable
from typing import Final, Literal, NamedTuple

from schemas import hashing
from schemas.events import Recorded

_ROOT: Final = "root"
Cause = Literal["previous_hash_mismatch", "event_hash_mismatch"]


class Link(NamedTuple):
    """How far a chain is: a seq and the hash of its event; before the first event 0 and none."""

    seq: int = 0
    event_hash: str | None = None


class ChainBroken(Exception):
    """The first event that does not fit: it does not follow the one before it, or it is not what was hashed."""

    def __init__(self, seq: int, cause: Cause) -> None:
        super().__init__(f"the chain is broken at seq {seq}: {cause.replace('_', ' ')}")
        self.seq = seq
        self.cause = cause


def event_hash(run_id: str, seq: int, event_type: str, payload_digest: str, previous: str | None) -> str:
    """64 hex characters; `payload_digest` is H(payload), `previous` the event hash before it, None before the first."""
    parts = (run_id, str(seq), event_type, payload_digest, previous or _ROOT)
    return hashlib.sha256("|".join(parts).encode()).hexdigest()


def walk(run_id: str, start: Link, events: Iterable[Recorded]) -> Link:
    """The link after `events`, which begin behind `start`; raises ChainBroken.

    An erased payload is what its digest says it was (ADR 12).
    """
    seq, head = start
    for event in events:
        if event.seq != seq + 1:
            raise ChainBroken(seq + 1, "previous_hash_mismatch")
        if not event.erased and hashing.digest(event.payload) != event.digest:
            raise ChainBroken(event.seq, "event_hash_mismatch")
        seq, head = event.seq, event_hash(run_id, event.seq, event.type, event.digest.hex(), head)
    return Link(seq, head)


def check_end(reached: Link, head: Link) -> None:
    """Whether a chain that holds in itself ends as the run's state says it does; raises ChainBroken."""
    if reached.seq != head.seq:
        raise ChainBroken(min(reached.seq, head.seq) + 1, "previous_hash_mismatch")
    if reached.event_hash != head.event_hash:
        raise ChainBroken(reached.seq, "event_hash_mismatch")
