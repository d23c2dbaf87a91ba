"""The acceptance path: a phone and a real Codex behind `oa worker`, through the whole stack (edge §2.12)."""

import itertools
import secrets
import string
import uuid
from pathlib import Path

import msgspec
import pytest

from tests.e2e.device import WORKERS, WorkerEvent
from tests.e2e.phone import Phone, user_message
from tests.local_stack import Operator
from tests.nodes import sse_events

LOCAL_WORKER = "desktopw:shared"
SOCKETS = 200
TURN_WITHIN_S = 60.0


@pytest.fixture(autouse=True)
def _worker(stack: Operator) -> None:
    if "worker" not in stack.status():
        pytest.skip("no Codex: run `make codex`")


def handshake_id(number: int) -> str:
    """As Swift writes them, and as the contract's example does."""
    return str(uuid.uuid4()).upper() if number % 2 else str(uuid.uuid4())


async def stored_events(phone: Phone, worker_id: str) -> list[WorkerEvent]:
    """What a desktop reads of the same worker (edge §2.6)."""
    stream = await phone.call("GET", f"{WORKERS}/{worker_id}/stream", cursor=0, tail_ms=1)
    return [msgspec.convert(event["data"], WorkerEvent) for event in sse_events(stream.text)]


def assert_each_once_and_in_order(phone: Phone) -> None:
    watermarks = [update.watermark for update in phone.updates]
    assert watermarks == sorted(set(watermarks))
    events = sorted(phone.events, key=lambda event: event.worker_id)  # stable: keeps the order within a worker
    for _, of_worker in itertools.groupby(events, lambda event: event.worker_id):
        seqs = [event.seq for event in of_worker]
        assert seqs == list(range(seqs[0], seqs[0] + len(seqs)))


async def test_a_phone_picks_the_shared_desktop_worker(phone: Phone) -> None:
    for worker_id in ("zz-no-desktop", "desktopw:zz", "desktopw:shared-of-yesterday"):
        await phone.create_worker(worker_id)
    await phone.call("POST", f"{WORKERS}/desktopw:shared-of-yesterday/stop", {})
    assert (await phone.select()).worker_id == LOCAL_WORKER


async def test_two_hundred_fresh_sockets_get_one_acknowledgement_each(phone: Phone) -> None:
    worker_id = (await phone.select()).worker_id
    handshake_ids = [handshake_id(number) for number in range(SOCKETS)]
    acks = [await phone.shake_hands(worker_id, one) for one in handshake_ids]
    assert_each_once_and_in_order(phone)
    assert [ack.payload["handshake_id"] for ack in acks] == handshake_ids
    stored = await stored_events(phone, worker_id)
    assert [event for event in stored if event.method == "desktop/handshake_ack"] == acks
    delivered = [event for event in phone.events if event.worker_id == worker_id]
    assert stored[-len(delivered) :] == delivered


async def test_a_message_makes_codex_run_a_command_and_every_step_arrives_in_order(
    phone: Phone, tmp_path: Path
) -> None:
    nonce = "".join(secrets.choice(string.ascii_letters) for _ in range(16))
    (tmp_path / "nonce.txt").write_text(nonce)
    text = f"  run: cat {tmp_path}/nonce.txt; echo '  zwei  Leerzeichen — naïve ☂ 日本語 🚀\u2028'  \n"
    worker_id, message_id = (await phone.select()).worker_id, f"iosmsg-{uuid.uuid4()}"
    phone.heartbeat_s = 0.05
    async with phone.listening() as listening:
        sent = user_message(message_id, text)
        asked = await phone.post(worker_id, sent)
        await listening.heard(lambda event: event.seq > asked.seq and event.method == "turn/completed", TURN_WITHIN_S)
    assert_each_once_and_in_order(phone)
    [said] = [event for event in phone.events if (event.worker_id, event.seq) == (worker_id, asked.seq)]
    assert said.payload == sent

    turn = [event for event in phone.events if event.worker_id == worker_id and event.seq > asked.seq]
    steps = [event.method for event in turn if event.method.startswith(("turn/", "item/"))]
    assert "turn/started" in steps  # a busy Codex may tell of the first item before it
    assert steps[-1] == "turn/completed"
    completed = [event.payload["params"]["item"] for event in turn if event.method == "item/completed"]
    [message, command, answer] = completed
    assert message["content"][0]["text"] == text
    assert nonce in command["aggregatedOutput"]
    assert "  zwei  Leerzeichen — naïve ☂ 日本語 🚀\u2028" in command["aggregatedOutput"]
    assert nonce in answer["text"]
    deltas = [event.payload["params"]["delta"] for event in turn if event.method == "item/agentMessage/delta"]
    assert "".join(deltas) == answer["text"]
