"""What a relay is told once, at its start."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class RelaySettings:
    """`topic_prefix` keeps several logs apart on one Kafka; times in seconds."""

    database_url: str
    kafka_bootstrap: str
    topic_prefix: str = ""
    partitions: int = 6
    replication_factor: int = 1
    page_size: int = 1000
    heartbeat_s: float = 1.0
    leader_lost_after_s: float = 4.0
    setup_timeout_s: float = 30.0
    delivery_timeout_s: float = 10.0
    stuck_after_s: float = 15.0
    renew_after_s: float = 6 * 3600.0

    @property
    def fencing_id(self) -> str:
        """The `transactional.id` that only one living relay of these topics can hold."""
        return f"oa-relay-{self.topic_prefix or 'oa'}"
