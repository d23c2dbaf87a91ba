"""Budgets: what may be spent, what is held for a tool call and what became of it, in sats (runtime §1.8, §3.5)."""

import uuid
from collections.abc import Awaitable, Callable
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any, Literal, TypeVar
from urllib.parse import quote

import msgspec

from oa_client.backoff import repeated
from oa_client.workers import Payload

if TYPE_CHECKING:
    from oa_client.client import Client

T = TypeVar("T")
Mode = Literal["interactive", "delegated_budget", "deny", "delegated_budget_with_threshold"]
RetryClass = Literal["safe_retry", "dedupe_reconcile_required"]

_AUTHORIZATIONS = "/internal/v1/spend/authorizations"
_ATTEMPTS = 5


class Spending(msgspec.Struct, frozen=True, kw_only=True):
    """Caps and totals of a budget; None is no cap."""

    max_total_sats: int | None = None
    max_per_call_sats: int | None = None
    max_per_day_sats: int | None = None
    threshold_sats: int | None = None
    spent_sats: int
    reserved_sats: int
    remaining_sats: int | None = None


class Authorization(Spending, frozen=True, kw_only=True):
    """A budget: for whom and for what, its caps, what is spent and held of it. `path` are its parents and itself."""

    authorization_id: str
    mode: str
    owner_user_id: int | None = None
    owner_guest_scope: str | None = None
    run_id: str | None = None
    thread_id: str | None = None
    autopilot_id: str | None = None
    parent_authorization_id: str | None = None
    path: tuple[str, ...] = ()
    constraints: Payload = {}
    metadata: Payload = {}
    issued_at: str
    expires_at: str | None = None
    revoked_at: str | None = None


class Reservation(msgspec.Struct, frozen=True, kw_only=True):
    """A hold; `state` is reserved, committed, released or reconcile_required, `spent_sats` what a commit took of it."""

    authorization_id: str
    run_id: str
    tool_call_id: str
    state: str
    amount_sats: int
    spent_sats: int | None = None
    retry_class: str
    provider_correlation_id: str | None = None
    provider_idempotency_key: str | None = None
    failure_reason: str | None = None
    metadata: Payload = {}
    reserved_at: str
    committed_at: str | None = None
    released_at: str | None = None
    reconciled_at: str | None = None


class Held(Reservation, frozen=True, kw_only=True):
    """What a hold has become, and how its budget stands."""

    budget: Spending
    idempotent_replay: bool


class Budget:
    """`client.budgets[authorization_id]`. A refusal is a Conflict whose `reason_code` is that of runtime §3.5.

    A hold is named by its run and tool call; the same again is a replay, so what got no answer is repeated.
    """

    def __init__(self, client: "Client", authorization_id: str) -> None:
        self._client = client
        self.authorization_id = authorization_id

    async def show(self) -> Authorization:
        return await self._client.signed_data("GET", self._path(), Authorization)

    async def holds(self, *, limit: int = 50) -> list[Reservation]:
        """Those that still hold money, last changed first."""
        return await self._client.signed_data(
            "GET", self._path("reservations"), list[Reservation], query={"limit": limit}
        )

    async def reserve(
        self,
        run_id: str,
        tool_call_id: str,
        amount_sats: int,
        *,
        retry_class: RetryClass = "safe_retry",
        approved: bool | None = None,
        provider_idempotency_key: str | None = None,
        metadata: Payload | None = None,
    ) -> Held:
        """Holds an amount before a tool spends it; `approved` says that a person agreed."""
        asked = {"amount_sats": amount_sats, "retry_class": retry_class, "metadata": metadata or {}}
        chosen = {"approved": approved, "provider_idempotency_key": provider_idempotency_key}
        return await self._settle("", run_id, tool_call_id, {**asked, **_given(chosen)})

    async def commit(
        self,
        run_id: str,
        tool_call_id: str,
        *,
        amount_sats: int | None = None,
        provider_correlation_id: str | None = None,
        provider_idempotency_key: str | None = None,
    ) -> Held:
        """What was held is spent, or less of it (runtime DEC-50)."""
        told = {"amount_sats": amount_sats, "provider_correlation_id": provider_correlation_id}
        told |= {"provider_idempotency_key": provider_idempotency_key}
        return await self._settle("/commit", run_id, tool_call_id, _given(told))

    async def release(self, run_id: str, tool_call_id: str, failure_reason: str | None = None) -> Held:
        """Nothing was spent."""
        return await self._settle("/release", run_id, tool_call_id, _given({"failure_reason": failure_reason}))

    async def reconcile_required(self, run_id: str, tool_call_id: str, reason: str | None = None) -> Held:
        """Nobody knows whether it was spent: it stays held until somebody finds out."""
        return await self._settle("/reconcile-required", run_id, tool_call_id, _given({"reason": reason}))

    async def revoke(self, reason: str | None = None) -> Authorization:
        """Nothing more is held on it."""
        body = _given({"reason": reason})
        call = partial(self._client.signed_data, "POST", self._path("revoke"), Authorization, body)
        return await _attempt(self._client, call)

    async def _settle(self, suffix: str, run_id: str, tool_call_id: str, told: Payload) -> Held:
        body = {"run_id": run_id, "tool_call_id": tool_call_id, **told}
        path = self._path(f"reservations{suffix}")
        return await _attempt(self._client, partial(self._client.signed_data, "POST", path, Held, body))

    def _path(self, suffix: str = "") -> str:
        return f"{_AUTHORIZATIONS}/{quote(self.authorization_id, safe=':')}" + (f"/{suffix}" if suffix else "")


class Budgets:
    """`client.budgets[authorization_id]` is that budget; nothing is asked yet whether it exists."""

    def __init__(self, client: "Client") -> None:
        self._client = client

    def __getitem__(self, authorization_id: str) -> Budget:
        return Budget(self._client, authorization_id)

    async def list(self, *, limit: int = 50) -> list[Authorization]:
        """The caller's, last changed first."""
        return await self._client.signed_data("GET", _AUTHORIZATIONS, list[Authorization], query={"limit": limit})

    async def authorize(
        self,
        *,
        authorization_id: str | None = None,
        mode: Mode = "delegated_budget",
        max_total_sats: int | None = None,
        max_per_call_sats: int | None = None,
        max_per_day_sats: int | None = None,
        threshold_sats: int | None = None,
        expires_at: str | None = None,
        parent_authorization_id: str | None = None,
        run_id: str | None = None,
        thread_id: str | None = None,
        autopilot_id: str | None = None,
        constraints: Payload | None = None,
        metadata: Payload | None = None,
    ) -> Authorization:
        """Makes a budget, or finds the one of this id when it says the same; `expires_at` is RFC 3339."""
        body = _given(
            {
                "authorization_id": authorization_id or f"auth_{uuid.uuid4().hex}",
                "mode": mode,
                "threshold_sats": threshold_sats,
                "expires_at": expires_at,
                "max_total_sats": max_total_sats,
                "max_per_call_sats": max_per_call_sats,
                "max_per_day_sats": max_per_day_sats,
                "parent_authorization_id": parent_authorization_id,
                "run_id": run_id,
                "thread_id": thread_id,
                "autopilot_id": autopilot_id,
                "constraints": constraints,
                "metadata": metadata,
            }
        )
        call = partial(self._client.signed_data, "POST", _AUTHORIZATIONS, Authorization, body)
        return await _attempt(self._client, call)


def _given(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}


def _attempt(client: "Client", call: Callable[[], Awaitable[T]]) -> Awaitable[T]:
    return repeated(call, islice(client.pauses(), _ATTEMPTS - 1))
