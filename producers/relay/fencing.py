"""A producer that no paused predecessor can write beside (ADR 0004).

The epoch is taken by `transactional.id`, one empty transaction writes its marker into every partition, and the records
follow as plain idempotent batches of that producer id and epoch. aiokafka has no public way to do this; what is used
of its inside is feature-tested first.
"""

import asyncio
import itertools
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final, NamedTuple

from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.producer.message_accumulator import MessageAccumulator, MessageBatch
from aiokafka.producer.sender import Sender
from aiokafka.producer.transaction_manager import TransactionManager

from producers.relay.errors import FencingUnavailable
from producers.relay.settings import RelaySettings

_NEEDED: Final = (
    (TransactionManager, ("set_pid_and_epoch", "maybe_add_partition_to_txn", "producer_id", "producer_epoch")),
    (MessageAccumulator, ("create_builder", "flush")),
    (MessageBatch, ("done_noack",)),
    (Sender, ("close", "sender_task")),
)
_REQUEST_TIMEOUT_MS: Final = 5000
_CLOSE_TIMEOUT_S: Final = 5.0
_RETRY_MS: Final = 50
_BATCH_BYTES: Final = 256 * 1024


class Fence(NamedTuple):
    """Who may write: a broker refuses batches of the same producer id with a lower epoch."""

    producer_id: int
    epoch: int


def check_fencing() -> None:
    """Raises FencingUnavailable when this aiokafka's inside is not the one that was tested."""
    missing = [f"{owner.__name__}.{name}" for owner, names in _NEEDED for name in names if not hasattr(owner, name)]
    if missing:
        raise FencingUnavailable(f"aiokafka has no {', '.join(missing)}: use the version of requirements.lock")


async def take_fence(settings: RelaySettings, partitions: Sequence[TopicPartition]) -> Fence:
    """After this nobody else with the same fencing id can write into `partitions`."""
    producer = AIOKafkaProducer(
        bootstrap_servers=settings.kafka_bootstrap,
        transactional_id=settings.fencing_id,
        request_timeout_ms=_REQUEST_TIMEOUT_MS,
        retry_backoff_ms=_RETRY_MS,
    )
    try:
        await producer.start()
        await _commit_nothing(producer, partitions)
        # A commit is answered before its markers are written; the next transaction can only begin after them.
        await _commit_nothing(producer, partitions[:1])
        manager = producer._txn_manager
        return Fence(manager.producer_id, manager.producer_epoch)
    finally:
        await _close(producer)


@asynccontextmanager
async def fenced_producer(settings: RelaySettings, fence: Fence) -> AsyncIterator[Any]:
    """An idempotent producer with the fence's identity; what is not acknowledged at the end is given up."""
    producer = AIOKafkaProducer(
        bootstrap_servers=settings.kafka_bootstrap,
        enable_idempotence=True,
        max_batch_size=_BATCH_BYTES,
        request_timeout_ms=_REQUEST_TIMEOUT_MS,
        retry_backoff_ms=_RETRY_MS,
    )
    producer._txn_manager.set_pid_and_epoch(*fence)
    try:
        await producer.start()
        yield producer
    finally:
        await _give_up(producer)


async def _commit_nothing(producer: Any, partitions: Sequence[TopicPartition]) -> None:
    async with producer.transaction():
        for partition in partitions:
            producer._txn_manager.maybe_add_partition_to_txn(partition)


async def _give_up(producer: Any) -> None:
    """`stop` alone would wait for batches that a lost broker never takes."""
    batches = producer._message_accumulator
    for batch in [*itertools.chain.from_iterable(batches._batches.values()), *batches._pending_batches]:
        batch.done_noack()
    await _close(producer)


async def _close(producer: Any) -> None:
    try:
        async with asyncio.timeout(_CLOSE_TIMEOUT_S):
            await producer.stop()
    except TimeoutError:
        await producer.client.close()
