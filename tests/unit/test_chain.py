"""The hash chain of a run's events (runtime §1.4, DEC-34, DEC-38); the vectors were made with `sha256sum` alone."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from producers.chain import ChainBroken, Link, check_end, event_hash, walk
from schemas import hashing
from schemas.events import Payload, Recorded

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "chain" / "five_events.json").read_text())
RUN_ID = VECTORS["run_id"]
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def event(seq: int, event_type: str, payload: Payload) -> Recorded:
    digest = hashing.digest(payload)
    return Recorded(seq, "run", f"run/{RUN_ID}", seq, event_type, 1, "user:7", payload, digest, {}, NOON)


EVENTS = [event(vector["seq"], vector["type"], vector["payload"]) for vector in VECTORS["events"]]
LINKS = [Link(vector["seq"], vector["event_hash"]) for vector in VECTORS["events"]]


def broken(*events: Recorded, start: Link = Link()) -> tuple[int, str]:
    with pytest.raises(ChainBroken) as caught:
        walk(RUN_ID, start, events)
    return caught.value.seq, caught.value.cause


def changed(seq: int, **fields: Any) -> list[Recorded]:
    return [msgspec.structs.replace(item, **fields) if item.seq == seq else item for item in EVENTS]


@pytest.mark.parametrize("vector", VECTORS["events"], ids=lambda vector: vector["type"])
def test_a_payloads_digest_is_what_the_chain_is_made_of(vector: dict[str, Any]) -> None:
    """DEC-34."""
    assert hashing.hex_digest(vector["payload"]) == vector["payload_digest"]


def test_every_event_hash_covers_the_one_before_it_and_the_first_one_the_root() -> None:
    """runtime §1.4."""
    previous = None
    for vector in VECTORS["events"]:
        previous = event_hash(RUN_ID, vector["seq"], vector["type"], vector["payload_digest"], previous)
        assert previous == vector["event_hash"]


def test_the_whole_chain_ends_at_the_head() -> None:
    assert walk(RUN_ID, Link(), EVENTS) == LINKS[-1]


@pytest.mark.parametrize("kept_from", range(1, 5))
def test_a_chain_is_walked_on_from_an_anchor(kept_from: int) -> None:
    """DEC-38: what was pruned is not needed to verify the rest."""
    assert walk(RUN_ID, LINKS[kept_from - 1], EVENTS[kept_from:]) == LINKS[-1]


def test_nothing_to_walk_stays_where_it_was() -> None:
    assert walk(RUN_ID, LINKS[2], []) == LINKS[2]


def test_an_event_of_another_run_has_another_hash() -> None:
    assert walk("run_other", Link(), EVENTS).event_hash != LINKS[-1].event_hash


def test_a_missing_event_is_found_where_it_is_missing() -> None:
    assert broken(*EVENTS[:2], *EVENTS[3:]) == (3, "previous_hash_mismatch")


def test_what_does_not_begin_behind_the_anchor_does_not_follow_it() -> None:
    assert broken(*EVENTS, start=LINKS[1]) == (3, "previous_hash_mismatch")


def test_a_changed_payload_is_found_where_it_was_changed() -> None:
    assert broken(*changed(2, payload={"delta": "Mal", "frame_id": "f-1"})) == (2, "event_hash_mismatch")


def test_an_erased_payload_still_verifies() -> None:
    """ADR 12."""
    assert walk(RUN_ID, Link(), changed(2, payload={})) == LINKS[-1]


@pytest.mark.parametrize("fields", [{"type": "run.note"}, {"payload": {"n": 1}, "digest": hashing.digest({"n": 1})}])
def test_what_fits_itself_but_was_not_hashed_gives_another_head(fields: dict[str, Any]) -> None:
    reached = walk(RUN_ID, Link(), changed(2, **fields))
    with pytest.raises(ChainBroken, match="seq 5: event hash mismatch"):
        check_end(reached, LINKS[-1])


def test_a_chain_that_ends_where_the_state_says_holds() -> None:
    check_end(LINKS[-1], LINKS[-1])
    check_end(Link(), Link())


@pytest.mark.parametrize(("reached", "head"), [(LINKS[2], LINKS[4]), (LINKS[4], LINKS[2])])
def test_an_end_that_is_missing_or_too_much_breaks_the_chain_behind_the_common_part(reached: Link, head: Link) -> None:
    with pytest.raises(ChainBroken, match="seq 4: previous hash mismatch"):
        check_end(reached, head)
