"""10⁵ steps of the socket's machine beside the table of docs/sync-protocol.md, which is written down a second time."""

import itertools
import json
import math
import random
from collections import Counter
from typing import Any, NamedTuple

import pytest

from edge.sync.framing import Framing
from edge.sync.protocol import Close, Connection, Effect, Ping, Send, Subscribe, Unfollow
from edge.sync.settings import SyncSettings
from edge.sync.subscriptions import StaleTopic
from schemas import names

STEPS = 25_000
EVENTS, SUMMARIES, FORBIDDEN = names.WORKER_EVENTS, names.WORKER_SUMMARIES, names.NOTIFICATIONS
HEARTBEAT_S, SILENCE_S = 15.0, 60.0
REFS = (None, "1", "2")
SUBSCRIBES: tuple[tuple[Any, tuple[str, ...] | None], ...] = (
    ({"topics": [EVENTS]}, (EVENTS,)),
    ({"topics": [f" {SUMMARIES} ", EVENTS, EVENTS]}, (SUMMARIES, EVENTS)),
    ({"topics": [EVENTS], "resume_after": {EVENTS: 5}, "replay_batch_size": -1}, (EVENTS,)),
    ({"topics": [EVENTS], "resume_after": [{"topic": EVENTS, "watermark": 0}]}, (EVENTS,)),
    ({"topics": []}, None),
    ({"topics": ["", 5]}, None),
    ({"topics": EVENTS}, None),
    ({}, None),
    ([], None),
    ({"topics": [EVENTS, FORBIDDEN]}, None),
    ({"topics": ["unknown"]}, None),
    ({"topics": [EVENTS], "resume_after": {EVENTS: -1}}, None),
    ({"topics": [EVENTS], "resume_after": 5}, None),
)
UNSUBSCRIBES: tuple[tuple[Any, tuple[str, ...] | None], ...] = (
    ({"topics": [EVENTS]}, (EVENTS,)),
    ({"topics": [SUMMARIES, "unknown"]}, (SUMMARIES, "unknown")),
    ({"topics": []}, None),
    (None, None),
)
JUNK = ("{", "", "[]", '[null,null,5,"x",{}]', '[null,5.5,"sync:v1","x",{}]', '{"topic":"sync:v1"}', "[" * 9000)


class Joined(NamedTuple):
    join_ref: str | None
    active_at: float
    heartbeat_at: float
    topics: tuple[str, ...] = ()


class Model:
    """The table: what is said in which state, as words; and the state it leads to."""

    def __init__(self) -> None:
        self.joined: Joined | None = None
        self.outstanding: tuple[str, ...] | None = None
        self.frame_at = 0.0
        self.closed = False

    @property
    def state(self) -> str:
        if self.closed:
            return "closed"
        return "open" if self.joined is None else "joined" if self.outstanding is None else "replaying"

    @property
    def deadline(self) -> float:
        if self.closed:
            return math.inf
        return self.frame_at + SILENCE_S if self.joined is None else self.joined.heartbeat_at

    def close(self, *words: str, code: int) -> list[str]:
        self.closed, self.joined, self.outstanding = True, None, None
        return [*words, f"Close {code}"]

    def junk(self) -> list[str]:
        return [] if self.closed else self.close(code=1011)

    def frame(self, frame: tuple[Any, ...], topics: tuple[str, ...] | None, now: float) -> list[str]:
        join_ref, _, topic, event, _ = frame
        if self.closed:
            return []
        self.frame_at = now
        if (topic, event) == ("phoenix", "heartbeat"):
            return ["reply ok"]
        if (topic, event) == ("sync:v1", "phx_join"):
            before, self.joined = self.joined, Joined(join_ref, now, now + HEARTBEAT_S)
            return ["Unfollow", "reply ok", "phx_close"] if before else ["reply ok"]
        if topic == "sync:v1" and self.joined is not None:
            if self.joined.join_ref is not None and join_ref != self.joined.join_ref:
                return []
            return self._request(self.joined, event, topics, now)
        return ["reply ok"] if event == "phx_leave" else ["reply error"]

    def _request(self, joined: Joined, event: str, topics: tuple[str, ...] | None, now: float) -> list[str]:
        match event:
            case "sync:subscribe" if topics is not None:
                self.outstanding = topics
                return ["Subscribe"]
            case "sync:unsubscribe" if topics is not None:
                left = tuple(topic for topic in joined.topics if topic not in topics)
                self.joined = joined._replace(active_at=now, topics=left)
                return ["Unfollow", "reply ok"]
            case "sync:subscribe" | "sync:unsubscribe":
                return ["reply error"]
            case "sync:heartbeat":
                self.joined = joined._replace(active_at=now)
                return ["sync:heartbeat", "reply ok"]
            case "phx_leave":
                self.joined = None
                return ["Unfollow", "reply ok", "phx_close"]
        return self.close("phx_error", code=1011)

    def tick(self, now: float) -> list[str]:
        if self.closed or now < self.deadline:
            return []
        if self.joined is None:
            return self.close(code=1002)
        if self.outstanding is None and now - self.joined.active_at > SILENCE_S:
            return self.close("phx_close", code=1002)
        due = self.joined.heartbeat_at
        while due <= now:
            due += HEARTBEAT_S
        self.joined = self.joined._replace(heartbeat_at=due)
        return ["sync:heartbeat", "Ping"]

    def pong(self, now: float) -> None:
        if self.joined is not None:
            self.joined = self.joined._replace(active_at=now)

    def subscribed(self, now: float) -> list[str]:
        if self.joined is None or self.outstanding is None:
            return []
        topics = tuple(dict.fromkeys([*self.joined.topics, *self.outstanding]))
        self.joined, self.outstanding = self.joined._replace(active_at=now, topics=topics), None
        return ["reply ok"]

    def stale(self) -> list[str]:
        if self.outstanding is None:
            return []
        self.outstanding = None
        return ["sync:error", "reply error"]


class Walk:
    """One socket after the other, machine and model side by side; times are whole seconds, so both count alike."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.seen: Counter[tuple[str, str]] = Counter()
        self.sockets = 0
        self.open()

    def open(self) -> None:
        self.sockets += 1
        self.now = 0.0
        self.model = Model()
        self.machine = Connection(
            Framing.V2, (EVENTS, SUMMARIES), lambda _: 7, itertools.count(1), SyncSettings(), self.now
        )

    def step(self) -> None:
        state = self.model.state
        name = self.chance.choices(["frame", "junk", "wait", "pong", "answer"], [60, 1, 25, 4, 10])[0]
        said, expected = getattr(self, name)()
        assert words(said) == expected, (name, state)
        assert self.machine.deadline == self.model.deadline
        assert self.machine.closed == self.model.closed
        self.seen[state, " ".join(expected)] += 1
        if self.model.closed and self.chance.random() < 0.5:
            self.open()

    def frame(self) -> tuple[list[Effect], list[str]]:
        frame, topics = self._any_frame()
        if self.model.outstanding is not None:
            with pytest.raises(RuntimeError, match="outstanding"):
                self.machine.receive(json.dumps(frame), self.now)
            return [], []
        said = self.machine.receive(json.dumps(frame), self.now)
        self._check_refs(said, frame)
        return said, self.model.frame(frame, topics, self.now)

    def _any_frame(self) -> tuple[tuple[Any, ...], tuple[str, ...] | None]:
        topic = self.chance.choices(["sync:v1", "phoenix", "other"], [20, 2, 1])[0]
        event = self.chance.choices(
            ["phx_join", "sync:subscribe", "sync:unsubscribe", "sync:heartbeat", "heartbeat", "phx_leave", "nonsense"],
            [6, 12, 6, 6, 2, 2, 1],
        )[0]
        choices = {"sync:subscribe": SUBSCRIBES, "sync:unsubscribe": UNSUBSCRIBES}.get(event, (({}, None),))
        payload, topics = self.chance.choice(choices)
        ref = self.chance.choice(["11", "12", None])
        return (self.chance.choice(REFS), ref, topic, event, payload), topics

    def _check_refs(self, said: list[Effect], frame: tuple[Any, ...]) -> None:
        replies = [message for message in messages(said) if message[3] == "phx_reply"]
        assert [reply[1] for reply in replies] == [frame[1]] * len(replies)
        assert len(replies) <= 1

    def junk(self) -> tuple[list[Effect], list[str]]:
        if self.model.outstanding is not None:
            return [], []
        said = self.machine.receive(self.chance.choice(JUNK), self.now)
        return said, self.model.junk()

    def wait(self) -> tuple[list[Effect], list[str]]:
        self.now += self.chance.choice([1, 5, 14, 15, 16, 30, 61])
        said = self.machine.tick(self.now)
        topics = list(self.model.joined.topics) if self.model.joined else []
        for message in messages(said):
            if message[3] == "sync:heartbeat":
                assert [head["topic"] for head in message[4]["watermarks"]] == topics
        return said, self.model.tick(self.now)

    def pong(self) -> tuple[list[Effect], list[str]]:
        self.machine.pong(self.now)
        self.model.pong(self.now)
        return [], []

    def answer(self) -> tuple[list[Effect], list[str]]:
        if self.chance.random() < 0.8:
            return self.machine.subscribed(self.now), self.model.subscribed(self.now)
        stale = [StaleTopic(topic, 1, 2) for topic in self.model.outstanding or ()]
        return self.machine.stale(stale), self.model.stale()


def messages(effects: list[Effect]) -> list[Any]:
    return [json.loads(effect.text) for effect in effects if isinstance(effect, Send)]


def words(effects: list[Effect]) -> list[str]:
    return [_word(effect) for effect in effects]


def _word(effect: Effect) -> str:
    match effect:
        case Send(text):
            _, _, _, event, payload = json.loads(text)
            return f"reply {payload['status']}" if event == "phx_reply" else str(event)
        case Close(code):
            return f"Close {code}"
        case Subscribe() | Unfollow() | Ping():
            return type(effect).__name__
    raise AssertionError(effect)


ROWS = {
    *((state, "Close 1011") for state in ("open", "joined")),
    *((state, "reply ok") for state in ("open", "joined", "replaying")),
    *((state, "reply error") for state in ("open", "joined")),
    *(("joined", said) for said in ("", "Subscribe", "Unfollow reply ok phx_close", "Unfollow reply ok")),
    *(("joined", said) for said in ("sync:heartbeat reply ok", "phx_error Close 1011", "phx_close Close 1002")),
    *((state, "sync:heartbeat Ping") for state in ("joined", "replaying")),
    ("open", "Close 1002"),
    ("replaying", "sync:error reply error"),
    ("closed", ""),
}
"""Every line of the table."""


@pytest.mark.parametrize("seed", [1, 2, 3, 4])
def test_the_machine_does_what_the_table_says(seed: int, capsys: pytest.CaptureFixture[str]) -> None:
    walk = Walk(seed)
    for _ in range(STEPS):
        walk.step()
    with capsys.disabled():
        print(f"\nsync protocol, seed {seed}: {STEPS} steps on {walk.sockets} sockets, {len(walk.seen)} cases")
    assert ROWS - set(walk.seen) == set()
    assert not [said for state, said in walk.seen if state == "closed" and said]
