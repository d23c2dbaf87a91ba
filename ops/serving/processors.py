"""The processors, with their pool and their health on a loopback port."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime

from ops.database import open_pool
from ops.exposure import expose
from ops.serving.naming import this_process
from ops.settings import Settings, Values
from processors.app import Processors, ProcessorSettings
from processors.outlet_messages import Links
from processors.outlets import OutletSettings
from producers import presence
from schemas.tracing import Spans


async def serve(settings: Settings, spans: Spans | None) -> None:
    database = settings.database
    port = settings.values.number("OA_PROCESSORS_HEALTH_PORT", least=1)
    async with (
        await open_pool(database.url, database.pool_size) as pool,
        asyncio.TaskGroup() as tasks,
    ):
        process = this_process("processors")
        told = replace(processor_settings(settings), executor=process.id)
        processors = Processors(told, pool, lambda: datetime.now(UTC), spans=spans)
        tasks.create_task(expose(port, processors.health))
        tasks.create_task(processors.run())
        tasks.create_task(presence.tell(pool, process, processors.state))


def processor_settings(settings: Settings) -> ProcessorSettings:
    values = settings.values
    return ProcessorSettings(
        brokers=values.required("OA_KAFKA_BOOTSTRAP"),
        group=values.text("OA_KAFKA_GROUP"),
        topic_prefix=values.text("OA_KAFKA_TOPIC_PREFIX"),
        outlets=OutletSettings(
            links=Links(values.text("APP_URL").rstrip("/"), values.text("OA_ANSWER_LINK_KEY")),
            vapid_private_key=values.text("OA_VAPID_PRIVATE_KEY"),
            vapid_subject=_vapid_subject(values),
            private_addresses=settings.local,
        ),
    )


def _vapid_subject(values: Values) -> str:
    """A push service has to be told whom to ask (RFC 8292)."""
    sender = values.given("OA_SMTP_SENDER") or values.text("OA_LOCAL_EMAIL")
    return values.given("OA_VAPID_SUBJECT") or f"mailto:{sender}"
