"""Budgets: what may be spent, on what terms, and how much of it is held and spent (runtime §1.8, §3.4; ADR 14).

A budget's totals are changed by holds alone (`producers.spending`); by itself it is authorized and revoked. What was
authorized never changes, so whoever knows a budget's owner and path may remember them.
"""

import re
from datetime import UTC, datetime
from typing import Final, Literal

import msgspec

from producers.errors import Conflict, InvalidRequest, NotFound
from producers.eventlog.commands import Decider
from schemas import hashing, sanitiser
from schemas.amounts import MAX_SATS, msats_of, sats_of
from schemas.budgets import BudgetAuthorized, BudgetFreed, BudgetHeld, BudgetLost, BudgetRevoked, BudgetSpent
from schemas.events import NewEvent, Payload, Recorded
from schemas.names import BUDGET, CONTROL_CHARACTERS, budget_id_of
from schemas.times import iso6, parse

Mode = Literal["interactive", "delegated_budget", "deny", "delegated_budget_with_threshold"]
MODES: Final = ("interactive", "delegated_budget", "deny", "delegated_budget_with_threshold")
DEFAULT_MODE: Final = "delegated_budget"
THRESHOLD_MODE: Final = "delegated_budget_with_threshold"
MAX_PATH: Final = 8
NOT_FOUND, IDEMPOTENCY_CONFLICT = "authorization_not_found", "idempotency_conflict"
_AMOUNTS: Final = ("max_total_sats", "max_per_call_sats", "max_per_day_sats", "threshold_sats")
_AUTHORIZATION_ID: Final = re.compile(r"[^/]{1,255}")
_DAYS_KEPT: Final = 2
"""Clocks of several nodes may not agree on the day for a moment."""


class Terms(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a budget is for and how far it goes; amounts of None are unlimited."""

    mode: Mode = "delegated_budget"
    run_id: str | None = None
    thread_id: str | None = None
    autopilot_id: str | None = None
    parent_authorization_id: str | None = None
    max_total_sats: int | None = None
    max_per_call_sats: int | None = None
    max_per_day_sats: int | None = None
    threshold_sats: int | None = None
    expires_at: datetime | None = None


class Budget(msgspec.Struct, frozen=True, omit_defaults=True):
    """A budget's state, inline in its stream; small, because every hold writes it.

    `path` are the ids from the root to this one, `content` is the digest of what was authorized, `days` are sums of
    holds by the UTC day they were made: what is open of them, and what was spent (DEC-28, DEC-50).
    """

    authorization_id: str
    owner: str
    path: tuple[str, ...]
    terms: Terms
    content: str
    issued_at: datetime
    revoked_at: datetime | None = None
    held_msats: int = 0
    spent_msats: int = 0
    days: dict[str, int] = {}

    @property
    def spent_sats(self) -> int:
        return sats_of(self.spent_msats)

    @property
    def reserved_sats(self) -> int:
        return sats_of(self.held_msats)

    @property
    def remaining_sats(self) -> int | None:
        """Of what the wire says: never more than there is (runtime §3.3)."""
        total = self.terms.max_total_sats
        return None if total is None else max(total - self.spent_sats - self.reserved_sats, 0)

    @property
    def snapshot(self) -> Payload:
        """What policy decides on (runtime §3.1)."""
        return {
            "spent_sats": self.spent_sats,
            "reserved_sats": self.reserved_sats,
            "remaining_sats": self.remaining_sats,
        }

    def passed(self, amount_msats: int, day: str) -> str | None:
        """Which of its caps one more hold would pass; equal is allowed (runtime §3.4)."""
        terms = self.terms
        after = {
            "max_total_sats": self.held_msats + self.spent_msats + amount_msats,
            "max_per_call_sats": amount_msats,
            "max_per_day_sats": self.days.get(day, 0) + amount_msats,
        }
        caps = {name: getattr(terms, name) for name in after}
        return next((name for name, cap in caps.items() if cap is not None and after[name] > msats_of(cap)), None)

    def asks(self, amount_msats: int) -> bool:
        """Whether somebody has to allow this very call (DEC-28)."""
        if self.terms.mode == THRESHOLD_MODE:
            return amount_msats > msats_of(self.terms.threshold_sats or 0)
        return self.terms.mode == "interactive"


class Authorize(msgspec.Struct, frozen=True):
    """Make a budget, or find the one that is the same; `path` begins with the parent's."""

    authorization_id: str
    path: tuple[str, ...]
    terms: Terms
    constraints: Payload = {}
    metadata: Payload = {}


class Revoke(msgspec.Struct, frozen=True):
    """No hold is taken on it any more, nor on what is below it (DEC-29)."""

    reason: str | None = None


Command = Authorize | Revoke


def decide(budget: Budget | None, command: Command, now: datetime) -> list[NewEvent]:
    match command:
        case Authorize():
            return _authorize(budget, command, now)
        case Revoke():
            return [] if required(budget).revoked_at else [_revoked(command, now)]


def evolve(budget: Budget | None, event: Recorded) -> Budget:
    if budget is None:
        return _lost_beginning(event) if event.type == BudgetLost.type else _authorized(event)
    payload = event.payload
    match event.type:
        case BudgetHeld.type:
            return _moved(budget, payload["amount_msats"], 0, payload["day"])
        case BudgetSpent.type:
            return _moved(budget, -payload["held_msats"], payload["spent_msats"], payload["day"])
        case BudgetFreed.type:
            return _moved(budget, -payload["amount_msats"], 0, payload["day"])
        case BudgetRevoked.type | BudgetLost.type:
            return msgspec.structs.replace(budget, revoked_at=budget.revoked_at or event.recorded_at)
    return budget


def stand_in(_: int) -> NewEvent:
    """A lost event may have been a hold, and what it held may be spent: from there on nothing is held any more."""
    return BudgetLost()


DECIDER: Final[Decider[Budget, Command]] = Decider(
    kind=BUDGET,
    state=Budget,
    state_version=1,
    decide=decide,
    evolve=evolve,
    stand_in=stand_in,
)
"""Nothing in a budget is personal: ids, amounts and times, and what `docs/budgets.md` asks metadata to be."""


def required(budget: Budget | None) -> Budget:
    if budget is None:
        raise NotFound("no such authorization", reason_code=NOT_FOUND)
    return budget


# --- deciding -------------------------------------------------------------------------------------------------------


def _authorize(budget: Budget | None, command: Authorize, now: datetime) -> list[NewEvent]:
    _check(command)
    event = BudgetAuthorized(
        authorization_id=command.authorization_id,
        path=list(command.path),
        constraints=sanitiser.sanitise(command.constraints),
        metadata=sanitiser.sanitise(command.metadata),
        issued_at=iso6(now),
        **_given(command.terms),
    )
    if budget is None:
        return [event]
    if budget.content != _content(event.body()):
        raise Conflict("the authorization was made with other content", reason_code=IDEMPOTENCY_CONFLICT)
    return []


def _given(terms: Terms) -> Payload:
    values = msgspec.structs.asdict(terms)
    if terms.expires_at is not None:
        values["expires_at"] = iso6(terms.expires_at)
    return {name: value for name, value in values.items() if value is not None}


def _check(command: Authorize) -> None:
    terms = command.terms
    if not _AUTHORIZATION_ID.fullmatch(command.authorization_id):
        raise InvalidRequest("authorization_id must be 1 to 255 characters without a slash")
    if CONTROL_CHARACTERS.search(command.authorization_id):
        raise InvalidRequest("authorization_id must not contain control characters")
    if len(command.path) > MAX_PATH:
        raise InvalidRequest(f"an authorization may have {MAX_PATH - 1} above it at most")
    for name in _AMOUNTS:
        amount = getattr(terms, name)
        if amount is not None and not 0 <= amount <= MAX_SATS:
            raise InvalidRequest(f"{name} must be 0 to {MAX_SATS} sats")
    if (terms.mode == THRESHOLD_MODE) != (terms.threshold_sats is not None):
        raise InvalidRequest(f"threshold_sats belongs to the mode {THRESHOLD_MODE}, and only to it")


def _revoked(command: Revoke, now: datetime) -> NewEvent:
    reason = msgspec.UNSET if command.reason is None else sanitiser.sanitise(command.reason)
    return BudgetRevoked(revoked_at=iso6(now), reason=reason)


# --- evolving -------------------------------------------------------------------------------------------------------


def _authorized(event: Recorded) -> Budget:
    payload = event.payload
    return Budget(
        authorization_id=payload["authorization_id"],
        owner=event.owner,
        path=tuple(payload["path"]),
        terms=msgspec.convert(payload, Terms),
        content=_content(payload),
        issued_at=parse(payload["issued_at"]),
    )


def _content(authorized: Payload) -> str:
    """What makes it the same budget: all that was authorized, whenever that was."""
    return hashing.hex_digest({name: value for name, value in authorized.items() if name != "issued_at"})


def _lost_beginning(event: Recorded) -> Budget:
    """Nobody knows what was authorized, so nothing is."""
    name, at = budget_id_of(event.stream), event.recorded_at.astimezone(UTC)
    return Budget(name, event.owner, (name,), Terms(mode="deny"), content="", issued_at=at, revoked_at=at)


def _moved(budget: Budget, held_msats: int, spent_msats: int, day: str) -> Budget:
    return msgspec.structs.replace(
        budget,
        held_msats=budget.held_msats + held_msats,
        spent_msats=budget.spent_msats + spent_msats,
        days=_counted(budget.days, day, held_msats + spent_msats),
    )


def _counted(days: dict[str, int], day: str, msats: int) -> dict[str, int]:
    """The days on which holds were made last; what comes back on an older one counts no more."""
    if day in days:
        return {**days, day: days[day] + msats}
    return dict([*days.items(), (day, msats)][-_DAYS_KEPT:]) if msats > 0 else days
