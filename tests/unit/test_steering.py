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


ONCE = [ack("h1"), carried_out("one"), ack("h2"), carried_out("three")]


def test_once_each_is_agreed(phone: Phone) -> None:
    assert not [*phone.differences(recorded(ONCE))]


def test_a_new_session_may_acknowledge_again(phone: Phone) -> None:
    assert not [*phone.differences(recorded([*ONCE, ack("h2", "s2")]))]


@pytest.mark.parametrize(
    "wrong",
    [
        ONCE[1:],
        [*ONCE, ack("h1")],
        [*ONCE, ack("h3")],
        [*ONCE, carried_out("three")],
        [*ONCE, carried_out("two")],
    ],
    ids=["not acknowledged", "acknowledged twice", "never sent", "carried out twice", "out of order"],
)
def test_a_difference_is_told(phone: Phone, wrong: list[Payload]) -> None:
    assert [*phone.differences(recorded(wrong))]
