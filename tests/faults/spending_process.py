"""Spenders on shared budgets, to be killed: each call is held, then spent in part or given back, until it is over."""

import asyncio
import random
import sys
from typing import Any

import msgspec
import uvloop

from ops.database import open_pool
from producers import spending
from producers.errors import LogUnavailable, Rejection
from producers.eventlog.commands import Item, Part, Rules
from producers.eventlog.log import EventLog
from producers.refusals import Denied
from producers.spending import Commit, Release, Reserve, Target
from schemas.amounts import msats_of

OWNER = "user:41"
PATHS = (("root", "left"), ("root", "right"), ("root",))
SPENDERS_EACH = 67


class Share(msgspec.Struct, frozen=True):
    """One process of spenders; each of them makes so many calls, which have the same names whenever it starts."""

    database: str
    process: int
    calls: int


async def run(share: Share) -> None:
    async with open_pool(share.database) as pool:
        log = EventLog(pool)
        await asyncio.gather(*(_spend(log, share, number) for number in range(SPENDERS_EACH)))
        await log.close()


async def _spend(log: EventLog, share: Share, spender: int) -> None:
    for call in range(share.calls):
        chance = random.Random(f"{share.process}/{spender}/{call}")
        target = Target(chance.choice(PATHS), f"run-{share.process}", f"{spender}/{call}")
        sats = chance.randint(1, 9)
        held = await _executed(log, target, spending.reserve, Reserve(target, msats_of(sats), "safe_retry"))
        if held and chance.random() < 0.5:
            await _executed(log, target, spending.commit, Commit(target, msats_of(chance.randint(0, sats))))
        elif held and chance.random() < 0.8:
            await _executed(log, target, spending.release, Release(target))


async def _executed(log: EventLog, target: Target, rules: Rules[Any], command: Any) -> bool:
    """Whether it was accepted, also before this process was killed the last time; until it is answered."""
    parts: list[Part] = spending.reserve_parts(OWNER, target)
    while True:
        try:
            await log.execute_together(rules, parts, [Item(command)])
        except LogUnavailable:
            continue
        except Denied as denied:
            return denied.reason_code == "already_finalized"
        except Rejection:
            return False
        return True


if __name__ == "__main__":
    uvloop.run(run(msgspec.json.decode(sys.argv[1], type=Share)))
