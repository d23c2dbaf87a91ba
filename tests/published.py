"""Events put into a topic as the relay would, by a test that has no relay."""

from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from readmodels.engine import Delivery
from tests.worker_events import kafka_record

PARTITIONS = 6


async def publish(bootstrap: str, topic: str, batches: dict[int, list[Delivery]]) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    await admin.create_topics([NewTopic(topic, PARTITIONS, 1, topic_configs={"retention.ms": "-1"})])
    await admin.close()
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap)
    await producer.start()
    for partition, some in batches.items():
        for delivery in some:
            key, value, headers = kafka_record(delivery)
            moment = int(delivery.event.recorded_at.timestamp() * 1000)
            await producer.send(topic, value, key, partition, moment, headers)
    await producer.stop()
