"""Why the relay does not publish.

RelayError
├── Refusal                    stays until somebody repairs something; the process is not ready and says why
│   ├── LogBehindPublication   Kafka has what the log does not have (DESIGN I2)
│   ├── TopicIncomplete        a partition begins in the middle of its chain
│   └── FencingUnavailable     this aiokafka lacks what fencing needs
├── BrokerUnresponsive         Kafka took too long
├── LeadershipLost             somebody else may lead: this session ends at once
└── TopicMissing               a topic was deleted under the session: the next one makes and fills it again
"""


class RelayError(Exception):
    pass


class Refusal(RelayError):
    pass


class LogBehindPublication(Refusal):
    def __init__(self, where: str, published: tuple[int, int], head: tuple[int, int]) -> None:
        super().__init__(
            f"the log ends at position {head[1]} of epoch {head[0]}, but {where} is at position {published[1]} of "
            f"epoch {published[0]}: the log is older than what was published. Restore the newer log, or start a new "
            "epoch above everything published"
        )


class TopicIncomplete(Refusal):
    def __init__(self, topic: str, partition: int, previous: int) -> None:
        super().__init__(
            f"partition {partition} of {topic} begins after position {previous}, which it does not have. Delete the "
            "topic; the relay makes it again and fills it from the log"
        )


class FencingUnavailable(Refusal):
    pass


class BrokerUnresponsive(RelayError):
    pass


class LeadershipLost(RelayError):
    pass


class TopicMissing(RelayError):
    pass
