"""A phone that steers a worker while its daemon is killed, and what the log must say about it afterwards."""

import asyncio
import uuid
from collections import Counter
from collections.abc import Coroutine, Iterator, Sequence
from contextlib import aclosing, suppress
from datetime import UTC, datetime
from typing import Any

from oa_client.client import Client
from oa_client.errors import TRANSIENT, NoCodex
from oa_client.worker.command import DEFAULT_ID
from oa_client.worker.installation import find_codex
from oa_client.workers import Payload, user_message

from ops.stack.local import CODEX_PACKAGE
from schemas import names
from schemas.events import Recorded

_AGAIN_S = 1.0
_LAST_WITHIN_S = 60.0


def has_codex() -> bool:
    try:
        return bool(find_codex(None, CODEX_PACKAGE))
    except NoCodex:
        return False


class Phone:
    """Shakes hands, repeating each until it is acknowledged, and writes after each handshake one message, once."""

    def __init__(self, client: Client) -> None:
        self.handshakes: list[str] = []
        self.messages: list[str] = []
        self._client = client
        self._answered: dict[str, asyncio.Event] = {}

    async def steer_until(self, faults: Coroutine[Any, Any, None]) -> None:
        """The last handshake and message come after the last fault and must be answered in time."""
        async with asyncio.TaskGroup() as tasks:
            listening = tasks.create_task(self._listen())
            failing = tasks.create_task(faults)
            while not failing.done():
                await self._steer()
            async with asyncio.timeout(_LAST_WITHIN_S):
                await self._wait(await self._steer())
            listening.cancel()

    async def _steer(self) -> str:
        await self._shake_hands()
        text = f"message {len(self.messages)}"
        self.messages.append(text)
        self._answered[text] = asyncio.Event()
        await self._post(user_message(text, str(uuid.uuid4())))
        return text

    async def _shake_hands(self) -> None:
        handshake_id = str(uuid.uuid4())
        self.handshakes.append(handshake_id)
        answered = self._answered[handshake_id] = asyncio.Event()
        while not answered.is_set():
            await self._post(_handshake(handshake_id))
            with suppress(TimeoutError):
                async with asyncio.timeout(_AGAIN_S):
                    await answered.wait()

    async def _wait(self, what: str) -> None:
        await self._answered[what].wait()

    async def _post(self, payload: Payload) -> None:
        try:
            await self._client.post_event(DEFAULT_ID, "worker.event", payload)
        except TRANSIENT:
            await asyncio.sleep(_AGAIN_S)

    async def _listen(self) -> None:
        async with aclosing(self._client.stream(DEFAULT_ID)) as events:
            async for event in events:
                for what in (_acknowledged(event.payload), _carried_out(event.payload)):
                    if what in self._answered:
                        self._answered[what].set()

    def differences(self, events: Sequence[Recorded]) -> Iterator[str]:
        """Each handshake acknowledged once; each message that arrived carried out once, in order.

        Of a message whose turn a kill broke off, the daemon may know only that: it says so instead.
        """
        stream = [event.payload for event in events if names.worker_id_of(event.stream) == DEFAULT_ID]
        acks = Counter(acked for payload in stream if (acked := _acknowledged(payload)))
        yield from (f"{key} acknowledged {times} times" for key, times in acks.items() if times > 1)
        yield from (f"{key} never acknowledged" for key in self.handshakes if key not in acks)
        yield from (f"{key} acknowledged and never sent" for key in acks.keys() - self.handshakes)
        arrived = {payload["message_id"]: payload["params"]["text"] for payload in stream if _is_message(payload)}
        broken_off = {arrived[message_id] for payload in stream if (message_id := _broken_off(payload)) in arrived}
        carried_out = [text for payload in stream if (text := _carried_out(payload))]
        if carried_out != [text for text in arrived.values() if text in carried_out or text not in broken_off]:
            yield f"messages carried out: {carried_out}, broken off: {broken_off}, arrived: {list(arrived.values())}"


def _handshake(handshake_id: str) -> Payload:
    return {
        "source": "autopilot-ios",
        "method": "ios/handshake",
        "handshake_id": handshake_id,
        "device_id": "fault-test",
        "occurred_at": datetime.now(UTC).isoformat(),
    }


def _acknowledged(payload: Payload) -> str | None:
    return payload.get("handshake_id") if payload.get("method") == "desktop/handshake_ack" else None


def _is_message(payload: Payload) -> bool:
    return payload.get("method") == "ios/user_message"


def _broken_off(payload: Payload) -> str | None:
    match payload:
        case {"method": "worker/turn_lost", "params": {"message_id": str(message_id)}}:
            return message_id
    return None


def _carried_out(payload: Payload) -> str | None:
    """The text of a message that Codex has taken."""
    match payload:
        case {
            "method": "item/completed",
            "params": {"item": {"type": "userMessage", "content": [{"text": str(text)}]}},
        }:
            return text
    return None
