"""The rules of policy sets' versions, as pure functions (ADR 14)."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from producers.errors import Conflict, InvalidRequest, NotFound, TooLarge
from producers.policies import (
    ActivatePolicy,
    Command,
    ErasePolicy,
    PolicySet,
    ProposePolicy,
    RetirePolicy,
    decide,
    evolve,
    rules_of,
    stand_in,
)
from producers.policy_documents import InvalidPolicy
from producers.policy_rules import Facts
from schemas import hashing
from schemas.events import NewEvent, OpenEvent, Recorded
from schemas.names import policy_name_of, policy_stream
from schemas.policies_generated import PolicyActivated, PolicyProposed, PolicyRetired

NOON = datetime(2026, 2, 20, 12, tzinfo=UTC)
OWNER = "user:41"
STREAM = policy_stream(OWNER, "careful")
FIRST: dict[str, Any] = {"name": "careful", "deny": [{"rule": "shell", "tools": ["shell"]}]}
SECOND: dict[str, Any] = {"name": "careful", "deny": [{"rule": "git", "tools": ["git.*"]}]}
THE_FIRST, THE_SECOND = hashing.hex_digest(FIRST), hashing.hex_digest(SECOND)
PROPOSED = PolicyProposed("careful", 1, FIRST, THE_FIRST)
PROPOSED_AGAIN = PolicyProposed("careful", 2, SECOND, THE_SECOND)
ACTIVATED = PolicyActivated("careful", 1)
RETIRED = PolicyRetired("careful")


def recorded(event: NewEvent, seq: int, stream: str = STREAM) -> Recorded:
    at = NOON + timedelta(seconds=seq)
    return Recorded(*(seq, "policy", stream, seq, event.type, event.version, OWNER, event.body(), b"", {}), at)


def given(*events: NewEvent, stream: str = STREAM) -> PolicySet | None:
    policy: PolicySet | None = None
    for seq, event in enumerate(events, 1):
        policy = evolve(policy, recorded(event, seq, stream))
    return policy


def refused(policy: PolicySet | None, tool: str) -> bool:
    assert policy is not None
    return rules_of([policy]).refusal(Facts(tool, NOON)) is not None


def test_a_streams_name() -> None:
    assert STREAM == "policy/user:41/careful"
    assert policy_name_of(STREAM) == "careful"


def test_a_first_version_is_proposed_and_does_not_count() -> None:
    assert decide(None, ProposePolicy(FIRST), NOON) == [PROPOSED]
    assert not refused(given(PROPOSED), "shell")


def test_an_activated_version_counts() -> None:
    assert decide(given(PROPOSED), ActivatePolicy(THE_FIRST), NOON) == [ACTIVATED]
    assert refused(given(PROPOSED, ACTIVATED), "shell")


def test_a_proposal_leaves_the_active_version_as_it_is() -> None:
    policy = given(PROPOSED, ACTIVATED, PROPOSED_AGAIN)
    assert refused(policy, "shell")
    assert not refused(policy, "git.push")


def test_of_two_versions_the_newer_counts_alone() -> None:
    policy = given(PROPOSED, ACTIVATED, PROPOSED_AGAIN, PolicyActivated("careful", 2))
    assert not refused(policy, "shell")
    assert refused(policy, "git.push")


def test_a_retired_set_says_nothing() -> None:
    assert decide(given(PROPOSED, ACTIVATED), RetirePolicy(), NOON) == [RETIRED]
    assert not refused(given(PROPOSED, ACTIVATED, RETIRED), "shell")


def test_after_it_was_retired_versions_go_on() -> None:
    [event] = decide(given(PROPOSED, ACTIVATED, RETIRED), ProposePolicy(FIRST), NOON)
    assert event == PolicyProposed("careful", 2, FIRST, THE_FIRST)


@pytest.mark.parametrize(
    ("events", "command"),
    [
        ([PROPOSED], ProposePolicy(FIRST)),
        ([PROPOSED], ProposePolicy(dict(reversed(FIRST.items())))),
        ([PROPOSED, ACTIVATED], ProposePolicy(FIRST)),
        ([PROPOSED, ACTIVATED], ActivatePolicy(THE_FIRST)),
        ([PROPOSED, ACTIVATED, PROPOSED_AGAIN], ActivatePolicy(THE_FIRST)),
        ([PROPOSED, ACTIVATED, RETIRED], RetirePolicy()),
    ],
)
def test_the_same_again_writes_nothing(events: list[NewEvent], command: Command) -> None:
    assert decide(given(*events), command, NOON) == []


def test_an_older_document_is_a_version_of_its_own() -> None:
    policy = given(PROPOSED, ACTIVATED, PROPOSED_AGAIN, PolicyActivated("careful", 2))
    [event] = decide(policy, ProposePolicy(FIRST), NOON)
    assert event.body()["policy_version"] == 3


@pytest.mark.parametrize("document_hash", ["", THE_FIRST, THE_SECOND.upper()])
def test_only_the_proposed_version_is_activated(document_hash: str) -> None:
    with pytest.raises(Conflict):
        decide(given(PROPOSED, PROPOSED_AGAIN), ActivatePolicy(document_hash), NOON)


def test_a_second_version_is_activated_by_its_own_document() -> None:
    policy = given(PROPOSED, ACTIVATED, PROPOSED_AGAIN)
    assert decide(policy, ActivatePolicy(THE_SECOND), NOON) == [PolicyActivated("careful", 2)]


@pytest.mark.parametrize("command", [ActivatePolicy(THE_FIRST), RetirePolicy(), ErasePolicy()])
def test_a_set_that_is_not_there(command: Command) -> None:
    with pytest.raises(NotFound):
        decide(None, command, NOON)


def test_what_is_no_policy_is_not_written() -> None:
    with pytest.raises(InvalidPolicy):
        decide(None, ProposePolicy({"name": "careful", "rules": []}), NOON)


def test_a_document_has_room_in_a_state() -> None:
    tools = [f"tool-{number}-" + "x" * 200 for number in range(100)]
    rules = [{"rule": f"r{number}", "tools": tools} for number in range(7)]
    with pytest.raises(TooLarge):
        decide(None, ProposePolicy({"name": "careful", "deny": rules}), NOON)
    assert decide(None, ProposePolicy({"name": "careful", "deny": rules[:5]}), NOON)


def test_a_document_is_of_the_set_it_names() -> None:
    with pytest.raises(InvalidRequest):
        decide(given(PROPOSED), ProposePolicy({"name": "careless"}), NOON)


def test_what_is_erased_counts_no_more_and_folds_without_its_words() -> None:
    """ADR 12."""
    policy = given(PROPOSED, ACTIVATED, PROPOSED_AGAIN)
    assert decide(policy, ErasePolicy(), NOON) == [RETIRED]
    assert decide(given(RETIRED), ErasePolicy(), NOON) == [RETIRED]
    blank = [OpenEvent(event.type, {}) for event in (PROPOSED, ACTIVATED, PROPOSED_AGAIN)]
    told = given(*blank, RETIRED)
    assert told is not None
    assert (told.name, told.latest, told.active, told.proposed) == ("careful", 2, None, None)
    assert told == given(PROPOSED, ACTIVATED, PROPOSED_AGAIN, RETIRED)


@pytest.mark.parametrize("lost", [1, 2])
def test_where_an_event_was_lost_nothing_counts(lost: int) -> None:
    """ADR 11."""
    events: list[NewEvent] = [PROPOSED, ACTIVATED]
    events[lost - 1] = stand_in(lost)
    assert not refused(given(*events), "shell")


def test_sets_are_compiled_in_the_order_of_their_names() -> None:
    other = {"name": "brave", "deny": [{"rule": "any", "tools": ["*"]}]}
    brave = given(
        PolicyProposed("brave", 1, other, ""), PolicyActivated("brave", 1), stream=policy_stream(OWNER, "brave")
    )
    careful = given(PROPOSED, ACTIVATED)
    assert brave
    assert careful
    for sets in ([brave, careful], [careful, brave]):
        fired = rules_of(sets).refusal(Facts("shell", NOON))
        assert fired is not None
        assert (fired.set, fired.rule) == ("brave", "any")
