"""What the public API tells of runs besides their snapshots: last words, cost, how they ended, their hash chain."""

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from edge.runs import Call, document
from producers import chain_walk, run_lists
from producers.chain import ChainBroken, Link
from producers.eventlog.reader import LogReader
from producers.run_lists import Cost, Listed, Picked
from readmodels.run_tables import words
from schemas.amounts import sats_of
from schemas.events import Recorded
from schemas.times import iso0, iso6

if TYPE_CHECKING:
    import asyncpg

    Pool = asyncpg.Pool[Any]

_LAST_WORDS: Final = 200
_FREE: Final = Cost()


class RunHistory:
    def __init__(self, pool: "Pool", reader: LogReader) -> None:
        self._pool = pool
        self._reader = reader
        self._verifying = asyncio.Lock()

    async def list(self, owner: str, picked: Picked, limit: int) -> list[dict[str, Any]]:
        """The owner's runs, last created first."""
        found = await run_lists.runs_of(self._pool, owner, picked, limit)
        names = [listed.run_id for listed in found]
        last = await run_lists.last_events(self._pool, names)
        costs = await run_lists.costs(self._pool, owner, names)
        return [_card(one, last[one.run_id], costs.get(one.run_id, _FREE)) for one in found]

    async def snapshot(self, call: Call) -> dict[str, Any]:
        """One of them, with how it ended and from where on its events are kept."""
        listed = await self._one(call)
        [last] = (await run_lists.last_events(self._pool, [call.run_id])).values()
        costs = await run_lists.costs(self._pool, call.owner, [call.run_id])
        return _card(listed, last, costs.get(call.run_id, _FREE)) | _chained(listed) | _ended(listed)

    async def chain(self, call: Call) -> dict[str, Any]:
        """Every kept event is read and hashed again (runtime §1.4): one run at a time, so that others are answered."""
        listed = await self._one(call)
        try:
            async with self._verifying:
                verified = await chain_walk.verify(self._reader, call.run_id, listed.ownership.anchor, _head(listed))
        except ChainBroken as broken:
            return {"intact": False, "brokenAt": broken.seq, "cause": broken.cause, **_chained(listed)}
        return {"intact": True, "events": verified.events, **_chained(listed)}

    async def _one(self, call: Call) -> Listed:
        """Whose it is was asked before, and runs stay."""
        [listed] = await run_lists.runs_of(self._pool, call.owner, Picked(run_id=call.run_id), 1)
        return listed


def _card(listed: Listed, last: Sequence[Recorded], cost: Cost) -> dict[str, Any]:
    return {
        **document(listed.run_id, listed.ownership, listed.run),
        "createdAt": iso0(listed.ownership.created_at),
        "lastWords": "".join(map(words, last))[-_LAST_WORDS:],
        "spentSats": sats_of(cost.spent_msats),
        "heldSats": sats_of(cost.held_msats),
    }


def _ended(listed: Listed) -> dict[str, Any]:
    run = listed.run
    return {
        "reasonClass": run.terminal_reason_class if run else None,
        "reason": run.terminal_reason if run else None,
        "endedAt": iso6(run.terminal_at) if run and run.terminal_at else None,
    }


def _chained(listed: Listed) -> dict[str, Any]:
    """The two ends of the chain: what the kept events follow, and the newest of them (DEC-38)."""
    return {"anchor": _link(listed.ownership.anchor), "head": _link(_head(listed))}


def _head(listed: Listed) -> Link:
    return Link(listed.run.latest_seq, listed.run.head_hash) if listed.run else Link()


def _link(link: Link) -> dict[str, Any]:
    return {"seq": link.seq, "hash": link.event_hash}
