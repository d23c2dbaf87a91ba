"""The relay, with its health on a loopback port."""

from functools import partial

from ops.exposure import expose
from ops.serving.naming import this_process
from ops.settings import Settings, Values
from producers.relay import service
from producers.relay.settings import RelaySettings
from schemas.tracing import Spans


async def serve(settings: Settings, spans: Spans | None) -> None:
    port = settings.values.number("OA_RELAY_HEALTH_PORT", least=1)
    await service.serve(relay_settings(settings.values), partial(expose, port), this_process("relay"), spans)


def relay_settings(values: Values) -> RelaySettings:
    return RelaySettings(
        database_url=values.required("OA_DATABASE_URL"),
        kafka_bootstrap=values.required("OA_KAFKA_BOOTSTRAP"),
        topic_prefix=values.text("OA_KAFKA_TOPIC_PREFIX"),
        partitions=values.number("OA_KAFKA_PARTITIONS", least=1),
        replication_factor=values.number("OA_KAFKA_REPLICATION", least=1),
    )
