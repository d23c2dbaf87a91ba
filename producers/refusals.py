"""Why money is not held, as the ledger calls it and as policy does (runtime §3.2, §3.4–3.6; DEC-28, DEC-29)."""

from collections.abc import Mapping
from typing import Final

from producers import budgets
from producers.budgets import Budget
from producers.errors import Conflict, Rejection
from producers.policy_rules import Consulted, Fired
from schemas import reasons

INVALID_AMOUNT, INVALID_RETRY_CLASS = "invalid_amount", "invalid_retry_class"
OVER_BUDGET, APPROVAL_MISSING, OTHER_SCOPE = "over_budget", "approval_missing", "other_scope"
RECONCILE_REQUIRED, ALREADY_FINALIZED = "reconcile_required", "already_finalized"
MISSING, REVOKED, EXPIRED = "authorization_missing", "authorization_revoked", "authorization_expired"
DENY, RULE = "explicit_deny", "policy_rule"

POLICY_CODES: Final[Mapping[str, str]] = {
    **dict.fromkeys((MISSING, INVALID_AMOUNT, INVALID_RETRY_CLASS, budgets.NOT_FOUND), reasons.AUTHORIZATION_MISSING),
    **dict.fromkeys((DENY, APPROVAL_MISSING, OTHER_SCOPE), reasons.EXPLICIT_DENY),
    **dict.fromkeys((RECONCILE_REQUIRED, ALREADY_FINALIZED, budgets.IDEMPOTENCY_CONFLICT), reasons.EXPLICIT_DENY),
    OVER_BUDGET: reasons.BUDGET_EXHAUSTED,
    EXPIRED: "policy_denied.authorization_expired",
    REVOKED: "policy_denied.authorization_revoked",
}
"""Of each of the ledger's codes (runtime §3.2, §3.6)."""
_DETAILS: Final = {"max_per_call_sats": "per_call", "max_per_day_sats": "per_day"}


class Denied(Conflict):
    """A reservation was refused; `cap` is the limit it would have passed, `by` the budget of the path that refused."""

    def __init__(self, message: str, reason_code: str, by: Budget | None = None, cap: str | None = None) -> None:
        super().__init__(message, reason_code=reason_code)
        self.by = by
        self.cap = cap

    @property
    def details(self) -> list[dict[str, str]]:
        """First as the ledger says it, then as policy does."""
        ledger = {"reason_code": str(self.reason_code), "path": self.cap or "", "message": self.message}
        told = {name: text for name, text in ledger.items() if text}
        return [told, {"reason_code": policy_code(self)}]


class DeniedByRule(Denied):
    """The ledger had nothing against it, but one of the owner's rules has (docs/policy.md)."""

    def __init__(self, rule: Fired, consulted: Consulted, by: Budget) -> None:
        super().__init__(f"a rule denies it: {rule.detail}", RULE, by)
        self.rule = rule
        self.consulted = consulted


def policy_code(rejection: Rejection) -> str:
    if isinstance(rejection, DeniedByRule):
        return rejection.rule.reason_code
    return POLICY_CODES.get(str(rejection.reason_code), reasons.EXPLICIT_DENY)


def detail_of(rejection: Rejection) -> str:
    """More exactly than the code."""
    if isinstance(rejection, DeniedByRule):
        return rejection.rule.detail
    cap = rejection.cap if isinstance(rejection, Denied) else None
    return _DETAILS.get(cap or "", str(rejection.reason_code))
