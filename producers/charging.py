"""Charging: what a worker's turns use is charged to the budget that its owner bound it to (ADR 14).

A turn has one hold, taken when its first usage is told; usage is told as sums, so telling it again changes nothing. A
turn that has used its hold up, or for which nothing can be held, is interrupted through its worker's stream.
"""

from datetime import datetime
from typing import Any, Final

import msgspec

from producers import budgets, denials, holds, notifications, spending, workers
from producers.errors import Rejection
from producers.eventlog.commands import Outcome, Part, States
from producers.holds import Hold
from producers.notifications import Raise
from producers.policy import Decision
from producers.refusals import Denied
from producers.spending import Commit, Reserve, Target, Writes
from producers.workers import SendRequest, Worker
from schemas.amounts import msats_of
from schemas.budgets import HoldReserved
from schemas.daemons import Charging, Metered
from schemas.events import NewEvent, Payload, Recorded
from schemas.names import HOLD, budget_stream, notification_stream, worker_stream
from schemas.notifications_generated import NotificationRaised

TURNS: Final = "worker/"
"""Before a worker's id: the run whose tool calls its turns are."""
USED_UP: Final = "hold_used_up"
INTERRUPT: Final = "turn/interrupt"
UNPAID: Final = "A turn is interrupted: its budget does not pay for more"


class Use(msgspec.Struct, frozen=True):
    """What a turn has used so far, told by its worker's event of `seq`.

    `path` is of the bound authorization, empty when there is none of this name.
    """

    worker_id: str
    owner: str
    seq: int
    charging: Charging
    metered: Metered
    path: tuple[str, ...]
    ended: bool = False

    @property
    def target(self) -> Target:
        """No run has a slash in its name."""
        path = self.path or (self.charging.authorization_id,)
        return Target(path, TURNS + self.worker_id, self.metered.turn_id)

    @property
    def worker(self) -> str:
        return worker_stream(self.owner, self.worker_id)

    @property
    def notification_id(self) -> str:
        return f"turn/{self.worker_id}/{self.metered.turn_id}"

    @property
    def notification(self) -> str:
        return notification_stream(self.owner, self.notification_id)

    @property
    def cost_msats(self) -> int:
        return self.charging.cost_msats(self.metered.model, self.metered.total_tokens)

    def parts(self) -> list[Part]:
        about = [Part(self.worker, self.owner, workers.DECIDER)]
        about.append(Part(self.notification, self.owner, notifications.DECIDER))
        return [*about, *(spending.parts(self.owner, self.target) if self.path else ())]


def charge(states: States, use: Use, now: datetime) -> Writes:
    """Held, charged, and spent at the turn's end; what cannot be paid interrupts the turn."""
    hold: Hold | None = states.get(use.target.hold)
    if hold is not None and not hold.is_open:
        return []
    try:
        held = [] if hold else _hold(states, use, now)
    except Rejection as refusal:
        return _unpaid(states, use, now, {"reason_code": refusal.reason_code or refusal.code})
    hold = _after(hold, use, held, now)
    charged = [(use.target.hold, event) for event in holds.decide(hold, _metered(use), now)]
    if use.ended:
        return [*held, *charged, *_commit(states, hold, use)]
    is_up = bool(charged) and use.cost_msats >= hold.amount_msats
    return [*held, *charged, *(_unpaid(states, use, now, {"reason_code": USED_UP}) if is_up else ())]


def decision(use: Use, outcome: Outcome[States]) -> Decision | None:
    """What policy decided about the turn's hold; None when it was held before (DEC-37)."""
    budget: Any = outcome.state.get(budget_stream(use.target.authorization_id))
    reserve = _reserve(use)
    for event in outcome.events:
        if event.type == HoldReserved.type:
            return denials.allowance(reserve, budget)
        if event.type == NotificationRaised.type and event.payload["subject"]["reason_code"] != USED_UP:
            refused = Denied("it was refused", event.payload["subject"]["reason_code"])
            return denials.denial(refused, use.target, budget)
    return None


def _reserve(use: Use) -> Reserve:
    metadata = {"worker_id": use.worker_id, "thread_id": use.metered.thread_id}
    return Reserve(use.target, msats_of(use.charging.hold_sats), metadata=metadata)


def _hold(states: States, use: Use, now: datetime) -> Writes:
    if not use.path:
        raise Denied("there is no such authorization", budgets.NOT_FOUND)
    return list(spending.reserve(states, _reserve(use), now))


def _after(hold: Hold | None, use: Use, held: Writes, now: datetime) -> Hold:
    for stream, new in held:
        if new.type == HoldReserved.type:
            told = Recorded(0, HOLD, stream, 1, new.type, new.version, use.owner, new.body(), b"", {}, now)
            hold = holds.evolve(None, told)
    return holds.required(hold)


def _metered(use: Use) -> holds.Charge:
    source = msgspec.structs.asdict(use.metered) | {"worker_id": use.worker_id, "seq": use.seq}
    return holds.Charge(use.cost_msats, {name: value for name, value in source.items() if value is not None})


def _commit(states: States, hold: Hold, use: Use) -> Writes:
    """Never more than was held: what the last report was above that, nobody pays."""
    spent_msats = min(max(use.cost_msats, hold.charged_msats), hold.amount_msats)
    known = {**states, use.target.hold: hold}
    return list(spending.commit(known, Commit(use.target, spent_msats), hold.reserved_at))


def _unpaid(states: States, use: Use, now: datetime, why: Payload) -> Writes:
    subject = {
        "worker_id": use.worker_id,
        "thread_id": use.metered.thread_id,
        "turn_id": use.metered.turn_id,
        "authorization_id": use.charging.authorization_id,
        **why,
    }
    told = Raise(use.notification_id, notifications.TURN_UNPAID, UNPAID, subject)
    raised = notifications.decide(states[use.notification], told, now)
    asked = [] if use.ended else _interruption(states[use.worker], use, now)
    return [*((use.worker, event) for event in asked), *((use.notification, event) for event in raised)]


def _interruption(worker: Worker | None, use: Use, now: datetime) -> list[NewEvent]:
    """Asked again at each report, as long as no such request is open; whoever takes no requests is not asked."""
    prefix = f"charging:{use.metered.turn_id[:200]}:"
    if worker is None or not worker.accepts_requests or any(one.startswith(prefix) for one in worker.open_requests):
        return []
    params = {"thread_id": use.metered.thread_id, "turn_id": use.metered.turn_id}
    request = SendRequest(f"{prefix}{use.seq}", INTERRUPT, params, {"client": "budget"})
    try:
        return workers.decide(worker, request, now)
    except Rejection:
        return []  # it is offline: its next report asks again
