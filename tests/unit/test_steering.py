"""The verdict on a steered worker: silent when it answered and acted once, and never when it did not."""

from collections.abc import Sequence

import pytest
from oa_client.client import Client
from oa_client.worker.command import DEFAULT_ID

from schemas.events import OpenEvent, Payload, Recorded
from tests.faults.steering import Phone
from tests.worker_events import Log


def ack(handshake_id: str, session_id: str = "s1") -> Payload:
    return {"method": "desktop/handshake_ack", "handshake_id": handshake_id, "desktop_session_id": session_id}


def message(text: str) -> Payload:
    return {"method": "ios/user_message", "message_id": f"m-{text}", "params": {"text": text}}


def broken_off(text: str) -> Payload:
    return {"method": "worker/turn_lost", "params": {"message_id": f"m-{text}", "thread_id": "t1", "turn_id": "u1"}}


def carried_out(text: str) -> Payload:
    return {"method": "item/completed", "params": {"item": {"type": "userMessage", "content": [{"text": text}]}}}


def recorded(payloads: Sequence[Payload]) -> list[Recorded]:
    log = Log()
    for payload in payloads:
        log.append(DEFAULT_ID, OpenEvent("worker.event", payload, version=0))
    return log.events


@pytest.fixture
def phone() -> Phone:
    phone = Phone(Client("http://edge.test"))
    phone.handshakes, phone.messages = ["h1", "h2"], ["one", "two", "three"]
    return phone


ONCE = [
    *(ack("h1"), message("one"), carried_out("one")),
    *(ack("h2"), message("two"), broken_off("two"), message("three"), carried_out("three")),
]


def test_once_each_is_agreed(phone: Phone) -> None:
    assert not [*phone.differences(recorded(ONCE))]


def test_a_message_that_never_arrived_is_missed_by_nobody(phone: Phone) -> None:
    phone.messages.append("four")
    assert not [*phone.differences(recorded(ONCE))]


def test_a_message_may_be_carried_out_and_then_broken_off(phone: Phone) -> None:
    assert not [*phone.differences(recorded([*ONCE, broken_off("three")]))]


@pytest.mark.parametrize(
    "wrong",
    [
        ONCE[1:],
        [*ONCE, ack("h1")],
        [*ONCE, ack("h1", "s2")],
        [*ONCE, ack("h3")],
        [*ONCE, carried_out("three")],
        [*ONCE, carried_out("two")],
        [*ONCE, message("four")],
    ],
    ids=[
        "not acknowledged",
        "acknowledged twice",
        "acknowledged by two sessions",
        "never sent",
        "carried out twice",
        "out of order",
        "not carried out",
    ],
)
def test_a_difference_is_told(phone: Phone, wrong: list[Payload]) -> None:
    assert [*phone.differences(recorded(wrong))]
