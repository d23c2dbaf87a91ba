"""Bodies and queries of the spend routes as commands (runtime §1.8, §3.5)."""

import uuid
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import BeforeValidator, ConfigDict, Field, WithJsonSchema

from edge.requests import Boolean, Fields, Identifier, Integer, Line, Nullable, OpaqueObject
from producers import spending
from producers.budgets import DEFAULT_MODE, Mode, Terms
from producers.holds import UNKNOWN_OUTCOME
from producers.spending import Commit, Release, RequireReconcile, Reserve, Target
from schemas import times
from schemas.amounts import MAX_SATS, msats_of

DEFAULT_LIMIT = 50
Name = Annotated[Identifier, Field(min_length=1, max_length=255)]
Text = Annotated[Line, Field(max_length=255)]
Sats = Annotated[Integer, Field(ge=0, le=MAX_SATS)]
Limit = Annotated[Integer, Field(ge=1, le=200)]
_AMOUNT = {"type": "integer", "minimum": 1, "maximum": MAX_SATS}
_RETRY_CLASS = {"enum": list(spending.RETRY_CLASSES)}


def _moment(value: Any) -> Any:
    """An RFC 3339 text as UTC."""
    try:
        moment = times.parse(value)
        return moment.astimezone(UTC) if moment.tzinfo else _refuse()
    except (TypeError, ValueError, OverflowError):
        return _refuse()


def _refuse() -> Any:
    raise ValueError("must be an RFC 3339 time")


class AuthorizeBody(Fields):
    authorization_id: Nullable[Name] = None
    run_id: Nullable[Name] = None
    thread_id: Nullable[Name] = None
    autopilot_id: Nullable[Name] = None
    parent_authorization_id: Nullable[Name] = None
    mode: Nullable[Mode] = None
    max_total_sats: Sats | None = None
    max_per_call_sats: Sats | None = None
    max_per_day_sats: Sats | None = None
    threshold_sats: Sats | None = None
    constraints: OpaqueObject | None = None
    metadata: OpaqueObject | None = None
    expires_at: Annotated[datetime, BeforeValidator(_moment)] | None = None

    @property
    def new_id(self) -> str:
        return self.authorization_id or f"auth_{uuid.uuid4().hex}"

    def terms(self) -> Terms:
        named = {name: getattr(self, name) for name in Terms.__struct_fields__}
        return Terms(**named | {"mode": self.mode or DEFAULT_MODE})


class RevokeBody(Fields):
    reason: Nullable[Text] = None


class HoldFields(Fields):
    """A hold's identity below its authorization."""

    run_id: Name
    tool_call_id: Name

    def target(self, path: tuple[str, ...]) -> Target:
        return Target(path, self.run_id, self.tool_call_id)


class ReserveBody(HoldFields):
    """What the ledger has codes of its own for is judged by it, also whether there is an amount."""

    model_config = ConfigDict(json_schema_extra={"required": ["run_id", "tool_call_id", "amount_sats"]})

    amount_sats: Annotated[Any, WithJsonSchema(_AMOUNT)] = None
    retry_class: Annotated[Any, WithJsonSchema(_RETRY_CLASS)] = spending.DEFAULT_RETRY_CLASS
    approved: Boolean | None = None
    provider_idempotency_key: Nullable[Name] = None
    metadata: OpaqueObject | None = None

    def command(self, path: tuple[str, ...]) -> Reserve:
        return Reserve(
            self.target(path),
            amount_msats=spending.amount_msats_of(self.amount_sats),
            retry_class=spending.retry_class_of(self.retry_class),
            approved=self.approved,
            provider_idempotency_key=self.provider_idempotency_key,
            metadata=self.metadata or {},
        )


class CommitBody(HoldFields):
    amount_sats: Sats | None = None
    reconciled: Boolean = False
    provider_correlation_id: Nullable[Name] = None
    provider_idempotency_key: Nullable[Name] = None

    def command(self, path: tuple[str, ...]) -> Commit:
        return Commit(
            self.target(path),
            amount_msats=None if self.amount_sats is None else msats_of(self.amount_sats),
            reconciled=self.reconciled,
            provider_correlation_id=self.provider_correlation_id,
            provider_idempotency_key=self.provider_idempotency_key,
        )


class ReleaseBody(HoldFields):
    failure_reason: Nullable[Text] = None
    reconciled: Boolean = False

    def command(self, path: tuple[str, ...]) -> Release:
        return Release(self.target(path), self.failure_reason, self.reconciled)


class ReconcileBody(HoldFields):
    reason: Nullable[Text] = None

    def command(self, path: tuple[str, ...]) -> RequireReconcile:
        return RequireReconcile(self.target(path), self.reason or UNKNOWN_OUTCOME)


class SpendQuery(Fields):
    limit: Limit = DEFAULT_LIMIT
