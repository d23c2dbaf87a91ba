"""One socket of `sync:v1` as a machine without I/O: frames and ticks in, effects out (docs/sync-protocol.md)."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from edge.sync.framing import CHANNEL, Address, BadFrame, Framing, Message, Ref
from edge.sync.settings import SyncSettings
from edge.sync.subscriptions import Refused, StaleTopic, Subscription, requested_topics, stale_response, subscription

TIMED_OUT: Final = 1002
POLICY: Final = 1008
FAILED: Final = 1011
DRAINING: Final = 1012
SLOW: Final = 1013


@dataclass(frozen=True)
class Send:
    """Send this JSON text."""

    text: bytes


@dataclass(frozen=True)
class Subscribe:
    """Replay, then call `subscribed`; or call `stale`. No frame may be offered before that."""

    address: Address
    subscription: Subscription


@dataclass(frozen=True)
class Unfollow:
    """Send nothing more of these topics and forget their positions."""

    topics: tuple[str, ...]


@dataclass(frozen=True)
class Ping:
    """Ping the peer; a pong counts as activity (SD-7)."""


@dataclass(frozen=True)
class Close:
    """End the socket with this code."""

    code: int


Effect = Send | Subscribe | Unfollow | Ping | Close


@dataclass
class Channel:
    """A join; `topics` in the order in which they were subscribed."""

    join_ref: Ref
    push_ref: Ref
    subscription_id: str
    active_at: float
    heartbeat_at: float
    topics: dict[str, None] = field(default_factory=dict)


class Outstanding(NamedTuple):
    """A subscribe whose replay runs."""

    message: Message
    topics: tuple[str, ...]


class Connection:
    """The machine. States: open, joined, replaying, closed; times are seconds of one monotonic clock.

    `served` answers the position of a subscribed topic through which this socket was served (SD-4).
    """

    def __init__(
        self,
        framing: Framing,
        allowed_topics: Sequence[str],
        served: Callable[[str], int],
        subscription_numbers: Iterator[int],
        settings: SyncSettings,
        now: float,
    ) -> None:
        self._framing = framing
        self._allowed = tuple(allowed_topics)
        self._served = served
        self._numbers = subscription_numbers
        self._settings = settings
        self._channel: Channel | None = None
        self._outstanding: Outstanding | None = None
        self._frame_at = now
        self.closed = False

    @property
    def deadline(self) -> float:
        """When `tick` has something to do."""
        if self.closed:
            return math.inf
        if self._channel is not None:
            return self._channel.heartbeat_at
        return self._frame_at + self._settings.idle_timeout_s

    def receive(self, text: str, now: float) -> list[Effect]:
        """One text frame of the client; not while a subscribe is outstanding (invariant 2)."""
        if self._outstanding is not None:
            raise RuntimeError("a frame was offered while a subscribe is outstanding")
        if self.closed:
            return []
        self._frame_at = now
        try:
            message = self._framing.decode(text)
        except BadFrame:
            return self._close(FAILED)
        return self._dispatch(message, now)

    def tick(self, now: float) -> list[Effect]:
        """Time has passed: push a heartbeat, or end a channel or a socket that is silent (sync §10, SD-7)."""
        if self.closed or now < self.deadline:
            return []
        if self._channel is None:
            return self._close(TIMED_OUT)
        if self._outstanding is None and now - self._channel.active_at > self._settings.heartbeat_timeout_s:
            return [self._ended(self._channel, "phx_close"), *self._close(TIMED_OUT)]
        self._channel.heartbeat_at = self._next_heartbeat(self._channel.heartbeat_at, now)
        return [self._heartbeat(self._channel), Ping()]

    def pong(self, now: float) -> None:
        """The peer answered a ping."""
        if self._channel is not None:
            self._channel.active_at = now

    def subscribed(self, now: float) -> list[Effect]:
        """The replay of the outstanding subscribe has been sent."""
        if self._channel is None or (outstanding := self._outstanding) is None:
            return []
        self._outstanding = None
        self._channel.active_at = now
        self._channel.topics.update(dict.fromkeys(outstanding.topics))
        response = {"topics": list(outstanding.topics), "current_watermarks": self._watermarks(outstanding.topics)}
        return [self._accepted(self._channel, outstanding.message, response)]

    def stale(self, stale: Sequence[StaleTopic]) -> list[Effect]:
        """The outstanding subscribe has cursors that are too old: nothing was subscribed."""
        if self._channel is None or (outstanding := self._outstanding) is None:
            return []
        self._outstanding = None
        response = stale_response(stale)
        return [
            self._push(self._channel, "sync:error", response),
            self._reply(self._channel.push_ref, outstanding.message, "error", response),
        ]

    def _dispatch(self, message: Message, now: float) -> list[Effect]:
        match message:
            case Message(topic="phoenix", event="heartbeat"):
                return [self._reply(None, message, "ok", {})]
            case Message(topic="sync:v1", event="phx_join"):
                return self._join(message, now)
            case Message(topic="sync:v1") if self._channel is not None:
                return self._request(self._channel, message, now)
            case Message(event="phx_leave"):
                return [self._reply(message.join_ref, message, "ok", {})]
        return [self._reply(None, message, "error", {"reason": "unmatched topic"})]

    def _join(self, message: Message, now: float) -> list[Effect]:
        previous, push_ref = self._channel, message.ref if message.join_ref is None else message.join_ref
        first_heartbeat = now + self._settings.heartbeat_interval_s
        number = f"sub_{next(self._numbers)}"
        self._channel = Channel(message.join_ref, push_ref, number, now, first_heartbeat)
        response = {"subscription_id": number, "allowed_topics": self._allowed, "current_watermarks": []}
        reply = self._reply(message.join_ref, message, "ok", response)
        if previous is None:
            return [reply]
        return [Unfollow(tuple(previous.topics)), reply, self._ended(previous, "phx_close")]

    def _request(self, channel: Channel, message: Message, now: float) -> list[Effect]:
        if channel.join_ref is not None and message.join_ref != channel.join_ref:
            return []
        match message.event:
            case "sync:subscribe":
                return self._subscribe(channel, message)
            case "sync:unsubscribe":
                return self._unsubscribe(channel, message, now)
            case "sync:heartbeat":
                return self._answer_heartbeat(channel, message, now)
            case "phx_leave":
                return self._leave(channel, message)
        return [self._ended(channel, "phx_error"), *self._close(FAILED)]

    def _subscribe(self, channel: Channel, message: Message) -> list[Effect]:
        try:
            wanted = subscription(message.payload, self._allowed)
        except Refused as refusal:
            return [self._reply(channel.push_ref, message, "error", refusal.response)]
        self._outstanding = Outstanding(message, wanted.topics)
        return [Subscribe(Address(self._framing, channel.push_ref), wanted)]

    def _unsubscribe(self, channel: Channel, message: Message, now: float) -> list[Effect]:
        try:
            topics = requested_topics(message.payload)
        except Refused as refusal:
            return [self._reply(channel.push_ref, message, "error", refusal.response)]
        channel.active_at = now
        ended = tuple(topic for topic in topics if topic in channel.topics)
        for topic in ended:
            del channel.topics[topic]
        return [Unfollow(ended), self._accepted(channel, message, {"topics": list(channel.topics)})]

    def _answer_heartbeat(self, channel: Channel, message: Message, now: float) -> list[Effect]:
        channel.active_at = now
        watermarks = self._watermarks(channel.topics)
        return [self._heartbeat(channel), self._accepted(channel, message, {"watermarks": watermarks})]

    def _leave(self, channel: Channel, message: Message) -> list[Effect]:
        self._channel = None
        reply = self._reply(channel.push_ref, message, "ok", {})
        return [Unfollow(tuple(channel.topics)), reply, self._ended(channel, "phx_close")]

    def _close(self, code: int) -> list[Effect]:
        self.closed, self._channel, self._outstanding = True, None, None
        return [Close(code)]

    def _next_heartbeat(self, due: float, now: float) -> float:
        interval = self._settings.heartbeat_interval_s
        return due + interval * (math.floor((now - due) / interval) + 1)

    def _watermarks(self, topics: Sequence[str] | dict[str, None]) -> list[dict[str, Any]]:
        return [{"topic": topic, "watermark": self._served(topic)} for topic in topics]

    def _heartbeat(self, channel: Channel) -> Send:
        return self._push(channel, "sync:heartbeat", {"watermarks": self._watermarks(channel.topics)})

    def _push(self, channel: Channel, event: str, payload: Any) -> Send:
        return Send(Address(self._framing, channel.push_ref).push(event, payload))

    def _ended(self, channel: Channel, event: str) -> Send:
        return Send(self._framing.encode(Message(channel.join_ref, channel.join_ref, CHANNEL, event, {})))

    def _accepted(self, channel: Channel, message: Message, response: dict[str, Any]) -> Send:
        return self._reply(channel.push_ref, message, "ok", {"subscription_id": channel.subscription_id, **response})

    def _reply(self, join_ref: Ref, message: Message, status: str, response: dict[str, Any]) -> Send:
        payload = {"status": status, "response": response}
        return Send(self._framing.encode(Message(join_ref, message.ref, message.topic, "phx_reply", payload)))
