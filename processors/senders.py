"""How messages leave, by the kind of outlet: what each kind wants to be told, and how."""

from datetime import datetime
from typing import Final

from processors import outlet_messages, push, webhooks
from processors.outgoing import Outgoing, Undelivered
from processors.outlet_rows import PUSH, Outlet
from processors.push import Urgency, VapidKey
from schemas.events import Payload

A_DAY: Final = Urgency(86_400, "normal")


class Senders:
    def __init__(self, vapid: VapidKey, *, private_addresses: bool) -> None:
        self._outgoing = Outgoing(private_addresses=private_addresses)
        self._vapid = vapid

    async def close(self) -> None:
        await self._outgoing.close()

    def wants(self, outlet: Outlet, document: Payload, is_over: bool, now: datetime) -> bool:
        """A webhook is told everything; a person only what is still so."""
        if outlet.kind != PUSH:
            return True
        is_late = outlet_messages.is_question(document) and outlet_messages.expires_at(document) <= now
        return document["status"] == "open" and not (is_over or is_late)

    async def send(self, outlet: Outlet, message: Payload, now: datetime) -> tuple[int | None, str | None]:
        """The status, and what went wrong; each is None when there was none."""
        try:
            return await self._sent(outlet, message, now), None
        except Undelivered as error:
            return error.status, error.reason

    async def _sent(self, outlet: Outlet, message: Payload, now: datetime) -> int:
        if outlet.kind != PUSH:
            return await webhooks.send(self._outgoing, outlet.address, outlet.keys["secret"], message, now)
        how = _urgency(message["notification"], now)
        return await push.send(self._outgoing, self._vapid, outlet.address, outlet.keys, message, how, now)


def _urgency(document: Payload, now: datetime) -> Urgency:
    if not outlet_messages.is_question(document):
        return A_DAY
    left_s = (outlet_messages.expires_at(document) - now).total_seconds()
    return Urgency(max(int(left_s), 0), "high")
