"""In whatever order it is commanded, one version of a set counts at most: what was activated last (ADR 14)."""

from datetime import UTC, datetime, timedelta

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from producers.errors import Rejection
from producers.policies import (
    DECIDER,
    ActivatePolicy,
    Command,
    ErasePolicy,
    PolicySet,
    ProposePolicy,
    RetirePolicy,
    document_hash,
    rules_of,
)
from producers.policy_rules import Facts
from schemas import canonical_json, hashing
from schemas.events import NewEvent, Payload, Recorded
from schemas.names import policy_stream
from schemas.policies_generated import PolicyActivated, PolicyProposed, PolicyRetired

NOON = datetime(2026, 2, 20, 12, tzinfo=UTC)
OWNER = "user:41"
STREAM = policy_stream(OWNER, "p")
DOCUMENTS: list[Payload] = [{"name": "p", "deny": [{"rule": f"r{number}", "tools": ["*"]}]} for number in range(3)]
COMMANDS: st.SearchStrategy[list[Command]] = st.lists(
    st.sampled_from(DOCUMENTS).map(ProposePolicy)
    | st.sampled_from(DOCUMENTS).map(lambda document: ActivatePolicy(document_hash(document)))
    | st.just(RetirePolicy())
    | st.just(ErasePolicy()),
    max_size=12,
)


class History:
    """One set, with a plain model beside it: what is proposed, what counts, how many there were."""

    def __init__(self) -> None:
        self.state: PolicySet | None = None
        self.events = list[Recorded]()
        self.proposed: Payload | None = None
        self.active: Payload | None = None
        self.versions = 0

    def tell(self, command: Command) -> None:
        try:
            events = DECIDER.decide(self.state, command, NOON)
        except Rejection:
            return
        for event in events:
            self._take(event)

    def _take(self, event: NewEvent) -> None:
        seq, body = len(self.events) + 1, event.body()
        at = NOON + timedelta(seconds=seq)
        self.events.append(
            Recorded(seq, "policy", STREAM, seq, event.type, event.version, OWNER, body, hashing.digest(body), {}, at)
        )
        self.state = DECIDER.evolve(self.state, self.events[-1])
        match event:
            case PolicyProposed():
                self.versions, self.proposed = self.versions + 1, event.document
                assert event.policy_version == self.versions
            case PolicyActivated():
                self.active, self.proposed = self.proposed, None
            case PolicyRetired():
                self.active = self.proposed = None


def played(commands: list[Command]) -> History:
    history = History()
    for command in commands:
        history.tell(command)
    return history


@given(COMMANDS)
def test_what_counts_is_what_was_activated_last(commands: list[Command]) -> None:
    history = played(commands)
    if history.state is None:
        return
    assert (history.state.active and history.state.active.document) == history.active
    assert (history.state.proposed and history.state.proposed.document) == history.proposed
    assert history.state.latest == history.versions
    fired = rules_of([history.state]).refusal(Facts("any", NOON))
    assert (fired and fired.rule) == (history.active and history.active["deny"][0]["rule"])


@given(COMMANDS, st.sampled_from(DOCUMENTS))
def test_whatever_came_before_a_document_can_be_made_to_count(commands: list[Command], document: Payload) -> None:
    history = played([*commands, ProposePolicy(document), ActivatePolicy(document_hash(document))])
    assert history.active == document


@given(COMMANDS)
def test_a_command_repeated_at_once_writes_nothing(commands: list[Command]) -> None:
    for number, command in enumerate(commands, 1):
        if not isinstance(command, ErasePolicy):
            history = played(commands[:number])
            before = len(history.events)
            history.tell(command)
            assert len(history.events) == before


@given(COMMANDS)
def test_the_state_is_the_fold_also_when_it_was_kept(commands: list[Command]) -> None:
    """DESIGN §4."""
    history, folded = played(commands), None
    for event in history.events:
        folded = DECIDER.evolve(folded, event)
        folded = canonical_json.decode_as(msgspec.json.encode(folded), PolicySet)
    assert folded == history.state
