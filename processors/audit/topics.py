"""What is audited: each topic with the kinds of streams and the views it has."""

from collections.abc import Mapping
from typing import Final

from processors.audit.evidence import Topic
from producers.nouns import DECIDERS
from readmodels.catalogue import VIEWS
from schemas import names

_DECIDERS: Final = {decider.kind: decider for decider in DECIDERS}


def audited(prefix: str, generation: int, partitions: Mapping[str, int]) -> list[Topic]:
    """Those topics whose number of partitions is known; `prefix` is what their names on Kafka begin with."""
    return [
        Topic(
            prefix + topic,
            {kind: _DECIDERS.get(kind) for kind in names.kinds_of(topic)},
            tuple(view for view in VIEWS.values() if view.topic == topic),
            number,
            generation,
        )
        for topic, number in partitions.items()
    ]
