"""What is audited: each kind of stream that has a topic and a view."""

from processors.audit.evidence import Noun
from producers.workers import DECIDER
from readmodels.workers import SUMMARIES


def nouns(topic_prefix: str, generation: int, partitions: int) -> dict[str, Noun]:
    """By kind; `partitions` is every topic's number of them."""
    return {SUMMARIES.kind: Noun(DECIDER, SUMMARIES, topic_prefix + SUMMARIES.topic, partitions, generation)}
