"""Why the relay does not publish.

RelayError
├── Refusal                    stays until somebody repairs something; the process is not ready and says why
│   ├── LogSuspended           somebody found the log behind what was seen of it (ADR 11)
│   ├── LogBehindPublication   Kafka has what the log does not have (DESIGN I2)
│   │   └── LogRewritten       Kafka has another event at a position than the log
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


class LogSuspended(Refusal):
    pass


class LogBehindPublication(Refusal):
    pass


class LogRewritten(LogBehindPublication):
    def __init__(self, topic: str, partition: int, position: int) -> None:
        super().__init__(
            f"partition {partition} of {topic} has another event at position {position} than the log, which was "
            "restored and went on without it. `oa log recover` shows what was lost and begins a new epoch"
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
