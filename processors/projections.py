"""Views that follow their topics: a projector for what arrives, a watch for what does not."""

from collections.abc import Sequence
from typing import Any, Final

from processors.arrivals import Arrival, batch
from processors.consumers import Feed, Host
from processors.lag import Health, Watch
from processors.projector import Projector
from readmodels import engine
from readmodels.engine import View

LEISURE_S: Final = 0.25


class Projection:
    """One view; a `Consumer`."""

    def __init__(self, projector: Projector, watch: Watch) -> None:
        self._projector = projector
        self._watch = watch

    @property
    def leisure_s(self) -> float:
        """No client is told of a view that feeds no sync topic."""
        return LEISURE_S if self._projector.view.feeds is None else 0.0

    @classmethod
    async def begin(cls, view: View[Any], host: Host, feed: Feed) -> "Projection":
        live = await engine.prepare(host.pool, view)
        projector = Projector(host.pool, live, feed.generation, feed.source, host.spans)
        watch = Watch(
            host.pool,
            projector,
            partitions=feed.partitions,
            topic=feed.topic,
            clock=host.clock,
            monotonic=host.monotonic,
        )
        await watch.refresh()
        return cls(projector, watch)

    async def take(self, arrivals: Sequence[Arrival]) -> None:
        await self._projector.apply(batch(arrivals))

    async def run(self) -> None:
        await self._watch.run()

    def health(self) -> Health:
        return self._watch.health()
