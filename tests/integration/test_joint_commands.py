"""Commands over several streams on the real Postgres, by several nodes at once (DESIGN §4, ADR 14)."""

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import asyncpg
import pytest

from producers.errors import Conflict, LogUnavailable
from producers.eventlog.commands import Item, Outcome, Part
from producers.eventlog.log import EventLog
from producers.eventlog.reader import LogReader
from producers.eventlog.streams import StreamReader
from tests.purses import MARKETS, OWNER, PURSE, Fill, Pay, Purse, Turn, market, pay, purse

Pool = asyncpg.Pool
COINS = 20


@asynccontextmanager
async def node(pool: Pool) -> AsyncIterator[EventLog]:
    log = EventLog(pool)
    try:
        yield log
    finally:
        await log.close()


@pytest.fixture
async def purses(pool: Pool, request: pytest.FixtureRequest) -> AsyncIterator[list[Part]]:
    """Five, with coins in them, and an open market."""
    parts = [purse(f"{request.node.name[:60]}-{number}") for number in range(5)]
    async with node(pool) as log:
        await turn(log, is_open=True)
        for part in parts:
            await log.execute(PURSE, part.stream, OWNER, [Item(Fill(COINS))])
        yield parts


async def turn(log: EventLog, *, is_open: bool) -> None:
    await log.execute(MARKETS, market().stream, OWNER, [Item(Turn(is_open))])


async def paid(log: EventLog, payer: Part, payee: Part, coins: int) -> Outcome[Any]:
    [outcome] = await log.execute_together(
        pay, [payer, payee, market()], [Item(Pay(payer.stream, payee.stream, coins))]
    )
    return outcome


async def coins_of(pool: Pool, purses: Sequence[Part]) -> list[int]:
    found = [await StreamReader(pool).get(PURSE, part.stream) for part in purses]
    return [snapshot.state.coins for snapshot in found if snapshot]


async def test_both_purses_change_in_one_transaction(pool: Pool, purses: list[Part]) -> None:
    async with node(pool) as log:
        outcome = await paid(log, purses[0], purses[1], 5)
    first, second = outcome.events
    assert second.position == first.position + 1
    assert outcome.state[purses[1].stream] == Purse(COINS + 5)
    assert await coins_of(pool, purses[:2]) == [COINS - 5, COINS + 5]


@pytest.mark.invariant("I3")
async def test_a_stream_that_was_only_read_is_checked_too(pool: Pool, purses: list[Part]) -> None:
    """One node closes the market; another that opened it, and so has it in its memory, pays nothing any more."""
    async with node(pool) as here, node(pool) as there:
        await turn(there, is_open=False)
        await turn(there, is_open=True)
        await paid(there, purses[0], purses[1], 1)
        await turn(here, is_open=False)
        with pytest.raises(Conflict, match="closed"):
            await paid(there, purses[0], purses[1], 1)
        await turn(here, is_open=True)
        await paid(there, purses[0], purses[1], 1)
    assert await coins_of(pool, purses[:2]) == [COINS - 2, COINS + 2]


@pytest.mark.invariant("I3")
async def test_no_coin_is_lost_or_made_by_nodes_that_pay_at_once(pool: Pool, purses: list[Part]) -> None:
    dice = random.Random(7)
    wanted = [(dice.sample(purses, 2), dice.randint(1, COINS)) for _ in range(300)]
    async with AsyncExitStack() as stack:
        nodes = [await stack.enter_async_context(node(pool)) for _ in range(3)]
        done = await asyncio.gather(
            *(paid(nodes[number % 3], payer, payee, coins) for number, ((payer, payee), coins) in enumerate(wanted)),
            return_exceptions=True,
        )
    strangers = [one for one in done if isinstance(one, Exception) and not isinstance(one, Conflict | LogUnavailable)]
    assert strangers == []
    assert any(isinstance(one, Outcome) for one in done)
    left = await coins_of(pool, purses)
    assert sum(left) == len(purses) * COINS
    assert min(left) >= 0
    for part, coins in zip(purses, left, strict=True):
        events = await LogReader(pool).read_stream(part.stream, 0, 1000)
        assert [event.seq for event in events] == list(range(1, len(events) + 1))
        assert sum(event.payload["coins"] for event in events) == coins
