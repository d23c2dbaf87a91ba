"""The rules of deliveries, as pure functions (runtime §2.10, §6.5, §1.10; DEC-18, DEC-21, DEC-49; ADR 11, ADR 12)."""

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from producers.deliveries import DECIDER, Command, Delivery, EraseDelivery, RecordDelivery, decide, evolve
from producers.errors import IdentityConflict
from schemas import hashing
from schemas.deliveries import DeliveryErased, DeliveryLost
from schemas.events import NewEvent, Recorded

NOON = datetime(2026, 2, 20, 12, tzinfo=UTC)
BOUNCED = RecordDelivery("ev-1", "resend", "bounced", {"code": 550}, message_id="m-1")


def given(*events: NewEvent) -> Delivery | None:
    delivery: Delivery | None = None
    for seq, event in enumerate(events, start=1):
        delivery = evolve(delivery, recorded(event, seq))
    return delivery


def recorded(event: NewEvent, seq: int, payload: dict[str, Any] | None = None) -> Recorded:
    body, stream = event.body(), "delivery/ev-1"
    told = body if payload is None else payload
    return Recorded(
        *(seq, "delivery", stream, seq, event.type, event.version, "system", told, hashing.digest(body), {}), NOON
    )


def decided(delivery: Delivery | None, command: Command) -> NewEvent:
    [event] = decide(delivery, command, NOON)
    return event


def test_what_was_told_is_recorded_with_the_hash_of_its_payload() -> None:
    """Runtime §2.10: H of the payload (§0.4)."""
    assert decided(None, BOUNCED).body() == {
        "event_id": "ev-1",
        "provider": "resend",
        "delivery_state": "bounced",
        "payload": {"code": 550},
        "payload_hash": hashing.hex_digest({"code": 550}),
        "message_id": "m-1",
    }


def test_the_same_payload_again_is_a_replay_whatever_else_is_told() -> None:
    """DEC-21, runtime §1.10."""
    delivery = given(decided(None, BOUNCED))
    assert decide(delivery, BOUNCED, NOON) == []
    other = msgspec.structs.replace(BOUNCED, provider="other", delivery_state="delivered", message_id=None, reason="r")
    assert decide(delivery, other, NOON) == []


def test_another_payload_under_the_same_id_is_a_conflict() -> None:
    """Runtime §2.10, §1.10."""
    delivery = given(decided(None, BOUNCED))
    for payload in ({}, {"code": 551}, {"code": 550, "more": None}):
        with pytest.raises(IdentityConflict):
            decide(delivery, msgspec.structs.replace(BOUNCED, payload=payload), NOON)


def test_what_providers_write_is_sanitised_and_hashed_as_it_was_sent() -> None:
    """Runtime §5.7, DEC-14: ids and times stay."""
    payload = {"to": "ada@lane.test", "email_id": "5b0f0f0e-6c55-4a53-9d2e-3c3f1a1c9b77", "token": "t"}
    told = RecordDelivery(
        *("ev-1", "resend", "bounced", payload, "<m-1@mail.lane.test>", "resend.primary", "ada@lane.test"),
        *("2026-02-25T06:13:20Z", "550 no mailbox ada@lane.test"),
    )
    body = decided(None, told).body()
    assert body["payload"] == {**payload, "to": "[REDACTED_EMAIL]", "token": "[REDACTED]"}
    assert body["payload_hash"] == hashing.hex_digest(payload)
    assert (body["recipient"], body["reason"]) == ("[REDACTED_EMAIL]", "550 no mailbox [REDACTED_EMAIL]")
    assert (body["message_id"], body["occurred_at"]) == ("<m-1@mail.lane.test>", "2026-02-25T06:13:20Z")
    assert decide(given(decided(None, told)), told, NOON) == []


def test_an_erased_delivery_is_known_and_nothing_else() -> None:
    """ADR 12: its state does not depend on whether it was folded before or after the payload went."""
    first, erased = decided(None, BOUNCED), decided(given(), EraseDelivery())
    before = given(first, erased)
    after = evolve(evolve(None, recorded(first, 1, {})), recorded(erased, 2))
    assert before == after == Delivery(erased=True)
    assert isinstance(erased, DeliveryErased)
    assert decide(before, msgspec.structs.replace(BOUNCED, payload={"other": 1}), NOON) == []


def test_a_lost_delivery_is_recorded_when_it_is_told_again() -> None:
    """ADR 11."""
    lost = DECIDER.stand_in(1)
    assert isinstance(lost, DeliveryLost)
    again = decided(given(lost), BOUNCED)
    assert again == decided(None, BOUNCED)
    assert given(lost, again) == given(decided(None, BOUNCED))
