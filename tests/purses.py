"""Purses that pay one another as long as the market is open: commands over several streams, for tests of the log."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

import msgspec

from producers.errors import Conflict
from producers.eventlog.commands import Decider, Part, States
from schemas.events import NewEvent, OpenEvent, Recorded

OWNER: Final = "user:41"
MARKET: Final = "market/main"


class Purse(msgspec.Struct, frozen=True):
    coins: int


class Market(msgspec.Struct, frozen=True):
    is_open: bool


class Fill(msgspec.Struct, frozen=True):
    coins: int


class Turn(msgspec.Struct, frozen=True):
    """Open the market or close it."""

    is_open: bool


class Pay(msgspec.Struct, frozen=True):
    payer: str
    payee: str
    coins: int


def _fill(_purse: Purse | None, command: Fill, _now: datetime) -> list[NewEvent]:
    return [OpenEvent("purse.filled", {"coins": command.coins})]


def _coins(purse: Purse | None, event: Recorded) -> Purse:
    return Purse((purse.coins if purse else 0) + event.payload["coins"])


def _turn(_market: Market | None, command: Turn, _now: datetime) -> list[NewEvent]:
    return [OpenEvent("market.turned", {"is_open": command.is_open})]


def _turned(_market: Market | None, event: Recorded) -> Market:
    return Market(event.payload["is_open"])


def _lost(_seq: int) -> NewEvent:
    return OpenEvent("lost", {})


PURSE: Final[Decider[Purse, Fill]] = Decider("purse", Purse, 1, _fill, _coins, _lost)
MARKETS: Final[Decider[Market, Turn]] = Decider("market", Market, 1, _turn, _turned, _lost)


def purse(name: str, owner: str = OWNER) -> Part:
    return Part(f"purse/{name}", owner, PURSE)


def market() -> Part:
    return Part(MARKET, OWNER, MARKETS)


def pay(states: States, command: Pay, _now: datetime) -> Sequence[tuple[str, NewEvent]]:
    """From one purse into another; the market is only looked at."""
    open_market, payer = states[MARKET], states[command.payer]
    if open_market is None or not open_market.is_open:
        raise Conflict("the market is closed")
    if payer is None or payer.coins < command.coins:
        raise Conflict("not enough coins")
    given, taken = {"coins": -command.coins}, {"coins": command.coins}
    return [(command.payer, OpenEvent("purse.paid", given)), (command.payee, OpenEvent("purse.paid", taken))]
