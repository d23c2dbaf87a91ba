"""Topics that are deleted and records that Kafka forgets: relay and projector bring everything back (I4, I5)."""

from collections.abc import Mapping

import pytest
from aiokafka import TopicPartition
from aiokafka.admin import RecordsToDelete

from tests.faults.pipeline import Pipeline
from tests.relayed import Record, topic_contents

EVENTS = 20
UP_TO_THE_END = -1


async def contents(pipeline: Pipeline) -> dict[int, list[tuple[bytes, bytes, object]]]:
    """What a consumer gets, but for the offsets."""
    found = await topic_contents(pipeline.bootstrap, pipeline.topic)
    return {partition: [(one.key, one.value, one.headers) for one in records] for partition, records in found.items()}


async def delete(pipeline: Pipeline) -> None:
    async with pipeline.admin() as admin:
        await admin.delete_topics([pipeline.topic])


async def forget(pipeline: Pipeline, before: Mapping[int, int]) -> None:
    """What retention does: the records of a partition before an offset are gone."""
    cuts = {TopicPartition(pipeline.topic, number): RecordsToDelete(offset) for number, offset in before.items()}
    async with pipeline.admin() as admin:
        await admin.delete_records(cuts)


@pytest.mark.invariant("I4")
async def test_a_topic_deleted_under_everybody_comes_back_with_the_same_records(pipeline: Pipeline) -> None:
    async with pipeline.relaying(), pipeline.projecting():
        await pipeline.write(EVENTS)
        await pipeline.until_relayed()
        await pipeline.until_agreed()
        before = await contents(pipeline)
        await delete(pipeline)
        await pipeline.until_relayed()
        assert await contents(pipeline) == before
        await pipeline.write(EVENTS)
        await pipeline.until_relayed()
        await pipeline.until_consumed()
        await pipeline.until_agreed()


async def test_a_topic_deleted_while_nobody_runs_comes_back_with_the_same_records(pipeline: Pipeline) -> None:
    async with pipeline.relaying(), pipeline.projecting():
        await pipeline.write(EVENTS)
        await pipeline.until_relayed()
        await pipeline.until_agreed()
    before = await contents(pipeline)
    await delete(pipeline)
    async with pipeline.projecting():
        async with pipeline.relaying():
            await pipeline.until_relayed()
            assert await contents(pipeline) == before
        await pipeline.write(EVENTS)
        async with pipeline.relaying():
            await pipeline.until_relayed()
            await pipeline.until_agreed()


@pytest.mark.slow
async def test_a_topic_deleted_again_and_again_while_events_come(pipeline: Pipeline) -> None:
    async with pipeline.relaying(), pipeline.projecting():
        for _ in range(3):
            await pipeline.write(EVENTS)
            await pipeline.until_relayed()
            await delete(pipeline)
            await pipeline.write(EVENTS)
        await pipeline.until_relayed()
        await pipeline.until_agreed()


def halves(records: Mapping[int, list[Record]]) -> dict[int, int]:
    """Cuts inside a partition's records; the first one is emptied, so that nothing of it tells of the hole."""
    middle = {number: some[-2].offset for number, some in records.items() if len(some) > 1}
    return {**middle, min(middle): UP_TO_THE_END}


@pytest.mark.invariant("I5")
async def test_what_kafka_forgot_while_the_projector_was_off_comes_from_the_log(pipeline: Pipeline) -> None:
    async with pipeline.relaying():
        await pipeline.write(EVENTS)
        await pipeline.until_relayed()
        async with pipeline.projecting():
            await pipeline.until_agreed()
        await pipeline.write(EVENTS)
        await pipeline.until_relayed()
        await forget(pipeline, halves(await topic_contents(pipeline.bootstrap, pipeline.topic)))
        async with pipeline.projecting():
            await pipeline.until_agreed()
            await pipeline.write(EVENTS)
            await pipeline.until_agreed()
