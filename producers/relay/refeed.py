"""Throwing the topics away, so that the next leader fills them again from the log (DESIGN I4)."""

from typing import TYPE_CHECKING, Any

from producers.relay import progress
from producers.relay.leadership import has_candidates, interregnum
from producers.relay.settings import RelaySettings
from producers.relay.topics import all_topics, delete_topics

if TYPE_CHECKING:
    import asyncpg


async def refeed(pool: "asyncpg.Pool[Any]", settings: RelaySettings) -> bool:
    """Delete this log's topics while nobody leads; whether a relay runs that will fill them now."""
    runs = await has_candidates(pool)
    topics = all_topics(settings.topic_prefix)
    async with interregnum(settings, pool):
        await progress.forget(pool, topics)
        await delete_topics(settings, topics)
    return runs


async def reached(pool: "asyncpg.Pool[Any]", settings: RelaySettings) -> int:
    """Up to where the relay has written down that all is on Kafka; 0 before it has begun anew."""
    written = await progress.load(pool, all_topics(settings.topic_prefix))
    return min((one.position for one in written.values()), default=0)
