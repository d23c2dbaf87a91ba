"""What turns use, metered from Codex's own reports, and the caps that end them."""

import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, Protocol

import msgspec
from msgspec.structs import asdict, astuple, replace

from oa_client.workers import Limits, Payload, Usage

_LOG = logging.getLogger(__name__)

Outcome = Literal["completed", "interrupted", "failed", "over_limit"]
_OUTCOMES: tuple[Outcome, ...] = ("completed", "interrupted", "failed")

_REMEMBERED_THREADS = 1_000


class Tokens(msgspec.Struct, frozen=True, rename="camel"):
    """Tokens; the cached ones are part of the input, the reasoning ones of the output."""

    input_tokens: int = 0
    cached_input_tokens: int = 0
    output_tokens: int = 0
    reasoning_output_tokens: int = 0
    total_tokens: int = 0

    def plus(self, other: "Tokens") -> "Tokens":
        return Tokens(*(a + b for a, b in zip(_values(self), _values(other), strict=True)))

    def since(self, earlier: "Tokens") -> "Tokens | None":
        """None: a count went down, so these two are not of one series."""
        grown = [a - b for a, b in zip(_values(self), _values(earlier), strict=True)]
        return None if min(grown) < 0 else Tokens(*grown)


def _values(usage: Tokens) -> tuple[int, ...]:
    values: tuple[int, ...] = astuple(usage)
    return values


class Report(msgspec.Struct, frozen=True, rename="camel"):
    """`last` is the newest model call, `total` the whole thread since Codex began to count it."""

    class Counts(msgspec.Struct, frozen=True):
        total: Tokens
        last: Tokens

    thread_id: str
    turn_id: str
    token_usage: Counts


def lower(one: Limits, other: Limits) -> Limits:
    return Limits(_lower(one.turn_tokens, other.turn_tokens), _lower(one.day_tokens, other.day_tokens))


def _lower(one: int | None, other: int | None) -> int | None:
    return min((cap for cap in (one, other) if cap is not None), default=None)


class RunningTurn(msgspec.Struct, frozen=True):
    thread_id: str
    used: Tokens = Tokens()
    model: str | None = None
    over_limit: bool = False


class Ledger(msgspec.Struct, frozen=True):
    """What has to be known to meter and to cap; `set_limits` are those that a client set. Days are UTC.

    `is_charged`: a budget pays for turns, so what they use is told while they run.
    """

    day: str = ""
    day_tokens: int = 0
    set_limits: Limits = Limits()
    is_charged: bool = False
    turns: dict[str, RunningTurn] = {}
    totals: dict[str, Tokens] = {}

    def on(self, now: datetime) -> "Ledger":
        today = day_of(now)
        return self if self.day == today else replace(self, day=today, day_tokens=0)

    def started(self, thread_id: str, turn_id: str, model: str | None = None) -> "Ledger":
        known = self.turns.get(turn_id, RunningTurn(thread_id))
        return self._with_turn(turn_id, replace(known, model=model or known.model))

    def began(self, thread_id: str) -> "Ledger":
        """A new thread, so that its first report is all its own."""
        return self._with_total(thread_id, Tokens())

    def reported(self, report: Report) -> "Ledger":
        """A report of a turn that does not run here only tells where its thread stands (Codex repeats it on resume)."""
        spent = self._spent(report)
        ledger = self._with_total(report.thread_id, report.token_usage.total)
        turn = self.turns.get(report.turn_id)
        if turn is None:
            return ledger
        ledger = replace(ledger, day_tokens=self.day_tokens + spent.total_tokens)
        return ledger._with_turn(report.turn_id, replace(turn, used=turn.used.plus(spent)))

    def _spent(self, report: Report) -> Tokens:
        """The growth of the total. Codex says the same numbers again and again; what it says first of a thread that did
        not begin here is from before."""
        before = self.totals.get(report.thread_id)
        if before is None:
            return Tokens()
        return report.token_usage.total.since(before) or report.token_usage.last

    def ended(self, turn_id: str) -> "Ledger":
        return replace(self, turns={known: turn for known, turn in self.turns.items() if known != turn_id})

    def over(self, turn_id: str) -> "Ledger":
        return self._with_turn(turn_id, replace(self.turns[turn_id], over_limit=True))

    def _with_total(self, thread_id: str, total: Tokens) -> "Ledger":
        totals = {**self.totals, thread_id: total}
        if len(totals) > _REMEMBERED_THREADS:
            del totals[next(iter(totals))]
        return replace(self, totals=totals)

    def _with_turn(self, turn_id: str, turn: RunningTurn) -> "Ledger":
        return replace(self, turns={**self.turns, turn_id: turn})


def day_of(now: datetime) -> str:
    return now.astimezone(UTC).date().isoformat()


def report_of(params: Any) -> Report | None:
    try:
        return msgspec.convert(params, Report)
    except msgspec.ValidationError as error:
        _LOG.warning("Codex reports what it used in an unknown way: %s", error)
        return None


def exceeded(ledger: Ledger, limits: Limits, turn_id: str) -> str | None:
    """Which cap the turn went over, in words."""
    turn_tokens = ledger.turns[turn_id].used.total_tokens
    if limits.turn_tokens is not None and turn_tokens > limits.turn_tokens:
        return f"the turn used {turn_tokens} tokens, its cap is {limits.turn_tokens}"
    if limits.day_tokens is not None and ledger.day_tokens > limits.day_tokens:
        return f"{ledger.day_tokens} tokens were used on {ledger.day} (UTC), the day's cap is {limits.day_tokens}"
    return None


def refusal(ledger: Ledger, limits: Limits, now: datetime) -> str | None:
    """Why no turn may begin, and when one may again."""
    if limits.day_tokens is None or ledger.day_tokens < limits.day_tokens:
        return None
    midnight = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
    return (
        f"{ledger.day_tokens} tokens were used on {ledger.day} (UTC) and the day's cap is {limits.day_tokens}: "
        f"no turn begins before {midnight:%Y-%m-%dT%H:%M:%SZ}"
    )


def usage_event(turn_id: str, turn: RunningTurn, outcome: Outcome) -> Payload:
    event: Payload = {"thread_id": turn.thread_id, "turn_id": turn_id, "outcome": outcome}
    event |= asdict(turn.used)
    return event if turn.model is None else event | {"model": turn.model}


def metered_event(turn_id: str, turn: RunningTurn) -> Payload:
    """The sum so far."""
    event: Payload = {"thread_id": turn.thread_id, "turn_id": turn_id, "total_tokens": turn.used.total_tokens}
    return event if turn.model is None else event | {"model": turn.model}


def outcome_of(turn: RunningTurn, status: Any) -> Outcome:
    if status == "interrupted" and turn.over_limit:
        return "over_limit"
    return status if status in _OUTCOMES else "failed"


class Facts(Protocol):
    """What outlives this process."""

    def fact(self, name: str) -> str | None: ...

    def set_fact(self, name: str, value: str | None) -> None: ...


_FACT = "spend"


class Spend:
    """Meters and caps. Must be shown every notification of Codex, in order, by `notice`.

    `note` keeps an event; `interrupt` is called with thread, turn and the reason when a cap ends the turn.
    """

    def __init__(
        self,
        facts: Facts,
        own_limits: Limits,
        *,
        note: Callable[[str, Payload], object],
        interrupt: Callable[[str, str, str], None],
        now: Callable[[], datetime],
    ) -> None:
        self._facts = facts
        self._own_limits = own_limits
        self._note = note
        self._interrupt = interrupt
        self._now = now
        self._models: dict[str, str] = {}
        kept = facts.fact(_FACT)
        self._forgot = kept is None
        self._ledger = _kept(kept)

    @property
    def limits(self) -> Limits:
        """The lower of what the daemon was started with and what a client set."""
        return lower(self._own_limits, self._ledger.set_limits)

    def restore(self, limits: Limits | None, usage: Usage | None) -> None:
        """What the worker's snapshot says: a new disk knows of no spending and of no limits, an old one knows better
        which limits, because it may not have told of them yet."""
        if self._forgot and limits is not None:
            self.heard(limits)
        today = self._ledger.on(self._now())
        if usage is not None and usage.day == today.day:
            self._keep(replace(today, day_tokens=max(today.day_tokens, usage.day_tokens)))

    def refusal(self) -> str | None:
        """Why no turn may begin now; None: one may."""
        now = self._now()
        return refusal(self._ledger.on(now), self.limits, now)

    def set_limits(self, limits: Limits, set_by: Payload) -> Payload:
        """What counts from now on, beside the daemon's own options."""
        self.heard(limits)
        caps = asdict(limits)
        told = {name: cap for name, cap in caps.items() if cap is not None}
        self._note("worker.limits.set", told | {"set_by": set_by})
        return caps

    def heard(self, limits: Limits) -> None:
        """The log says that these are the caps."""
        self._keep(replace(self._ledger, set_limits=limits))

    def charged(self, binding: Payload) -> None:
        """The log says whether a budget pays; Codex reports once a model call, which is often enough to tell."""
        self._keep(replace(self._ledger, is_charged=bool(binding)))

    def uses(self, thread_id: str, model: str) -> None:
        """Of the turns that begin in this thread from now on."""
        self._models[thread_id] = model

    def notice(self, message: Payload) -> None:
        params = message.get("params") or {}
        match message["method"], params:
            case "thread/started", {"thread": {"id": str(thread_id), "preview": ""}}:
                self._keep(self._ledger.began(thread_id))
            case "turn/started", {"threadId": str(thread_id), "turn": {"id": str(turn_id)}}:
                self._keep(self._ledger.started(thread_id, turn_id, self._models.get(thread_id)))
            case "thread/tokenUsage/updated", _:
                self._report(params)
            case "turn/completed", {"turn": {"id": str(turn_id), **turn}}:
                self._end(turn_id, turn.get("status"))

    def lost(self) -> None:
        """Codex ended, or an earlier daemon with it: what its turns used until then is told."""
        for turn_id in list(self._ledger.turns):
            self._end(turn_id, "failed")

    def _report(self, params: Any) -> None:
        report = report_of(params)
        if report is None:
            return
        before = self._ledger.turns.get(report.turn_id)
        self._keep(self._ledger.on(self._now()).reported(report))
        turn = self._ledger.turns.get(report.turn_id)
        if turn and turn != before and self._ledger.is_charged:
            self._note("worker.turn.metered", metered_event(report.turn_id, turn))
        if turn and not turn.over_limit and (why := exceeded(self._ledger, self.limits, report.turn_id)):
            self._keep(self._ledger.over(report.turn_id))
            self._interrupt(report.thread_id, report.turn_id, why)

    def _end(self, turn_id: str, status: Any) -> None:
        turn = self._ledger.turns.get(turn_id)
        if turn is None:
            return
        self._note("worker.turn.usage", usage_event(turn_id, turn, outcome_of(turn, status)))
        self._keep(self._ledger.ended(turn_id))

    def _keep(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._facts.set_fact(_FACT, msgspec.json.encode(ledger).decode())


def _kept(fact: str | None) -> Ledger:
    try:
        return msgspec.json.decode(fact or "{}", type=Ledger)
    except msgspec.MsgspecError:
        return Ledger()
