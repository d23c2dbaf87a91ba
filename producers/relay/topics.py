"""The topics the relay feeds: one a stream kind, made on demand, kept for ever, never compacted (DESIGN §5)."""

import asyncio
from collections.abc import Iterable, Mapping
from typing import Any, Final

from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError, for_code

from producers.relay.settings import RelaySettings
from schemas.names import KAFKA_TOPICS

_TOPIC_ALREADY_EXISTS: Final = 36
_CONFIGURATION: Final = {"retention.ms": "-1", "retention.bytes": "-1", "cleanup.policy": "delete"}
_POLL_S: Final = 0.05


def topics_by_kind(prefix: str) -> Mapping[str, str]:
    return {kind: f"{prefix}{topic}" for kind, topic in KAFKA_TOPICS.items()}


def all_topics(prefix: str) -> list[str]:
    """Kinds that belong together share one."""
    return sorted(set(topics_by_kind(prefix).values()))


async def ensure_topics(settings: RelaySettings) -> dict[str, int]:
    """Make what is missing; returns each topic's number of partitions, which is fixed for the topic's life."""
    topics = all_topics(settings.topic_prefix)
    admin = AIOKafkaAdminClient(bootstrap_servers=settings.kafka_bootstrap)
    try:
        await admin.start()
        await _create(admin, topics, settings)
        return await _partition_counts(admin, topics)
    finally:
        await admin.close()


async def partitions_of(bootstrap: str, topics: Iterable[str]) -> list[TopicPartition]:
    """The partitions of those topics that exist; raises KafkaError when no broker answers."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    try:
        await admin.start()
        described = await admin.describe_topics(list(topics))
    finally:
        await admin.close()
    return [TopicPartition(topic["topic"], part["partition"]) for topic in described for part in topic["partitions"]]


async def partition_count(bootstrap: str, topic: str) -> int:
    """0 when there is no such topic."""
    return len(await partitions_of(bootstrap, [topic]))


async def delete_topics(settings: RelaySettings, topics: Iterable[str]) -> None:
    """Delete those that exist."""
    admin = AIOKafkaAdminClient(bootstrap_servers=settings.kafka_bootstrap)
    try:
        await admin.start()
        if existing := set(topics) & set(await admin.list_topics()):
            await admin.delete_topics(list(existing))
    finally:
        await admin.close()


async def _create(admin: Any, topics: Iterable[str], settings: RelaySettings) -> None:
    answer = await admin.create_topics(
        [
            NewTopic(topic, settings.partitions, settings.replication_factor, topic_configs=_CONFIGURATION)
            for topic in topics
        ]
    )
    for topic, code, *message in answer.topic_errors:
        if code not in (0, _TOPIC_ALREADY_EXISTS):
            error: type[KafkaError] = for_code(code)
            raise error(topic, *message)


async def _partition_counts(admin: Any, topics: list[str]) -> dict[str, int]:
    """Polls: a topic is known to every broker only some time after it was made."""
    while True:
        described = await admin.describe_topics(topics)
        if all(_is_led(topic) for topic in described):
            return {topic["topic"]: len(topic["partitions"]) for topic in described}
        await asyncio.sleep(_POLL_S)


def _is_led(topic: dict[str, Any]) -> bool:
    partitions = topic["partitions"]
    return topic["error_code"] == 0 and bool(partitions) and all(part["leader"] >= 0 for part in partitions)
