"""The machine of one socket, by the sections of the sync contract and the invariants of docs/sync-protocol.md."""

import itertools
import json
import math
import re
from pathlib import Path
from typing import Any

import pytest

from edge.sync.framing import Framing, framing_of
from edge.sync.protocol import Close, Connection, Effect, Ping, Send, Subscribe, Unfollow
from edge.sync.settings import SyncSettings
from edge.sync.subscriptions import StaleTopic, allowed_topics
from schemas import names

EVENTS, SUMMARIES = names.WORKER_EVENTS, names.WORKER_SUMMARIES
SUBSCRIBE_EVENTS = {"topics": [EVENTS]}


class Machine:
    """A connection with its clock and positions; frames as Python values."""

    def __init__(self, *allowed: str, framing: Framing = Framing.V2, **settings: Any) -> None:
        self.served = {EVENTS: 4711, SUMMARIES: 90}
        self.now = 0.0
        self.connection = Connection(
            framing,
            allowed or (EVENTS, SUMMARIES),
            self.served.__getitem__,
            itertools.count(9),
            SyncSettings(**settings),
            self.now,
        )

    def effects(self, *frame: Any) -> list[Effect]:
        return self.connection.receive(json.dumps(frame), self.now)

    def send(self, *frame: Any) -> list[Any]:
        return frames(self.effects(*frame))

    def request(self, event: str, payload: Any = None, ref: str = "8", join_ref: str | None = "7") -> list[Any]:
        return self.send(join_ref, ref, "sync:v1", event, {} if payload is None else payload)

    def join(self, join_ref: str | None = None, ref: str = "7") -> list[Any]:
        return self.send(join_ref, ref, "sync:v1", "phx_join", {})

    def subscribe(self, *topics: str) -> list[Any]:
        effects = self.effects("7", "8", "sync:v1", "sync:subscribe", {"topics": topics or [EVENTS]})
        assert isinstance(effects[0], Subscribe)
        return frames(self.connection.subscribed(self.now))

    def tick_at(self, now: float) -> list[Any]:
        self.now = now
        return frames(self.connection.tick(now))


def frames(effects: list[Effect]) -> list[Any]:
    """Sent frames as values; other effects as they are; an Unfollow of nothing is nothing."""
    shown = [json.loads(effect.text) if isinstance(effect, Send) else effect for effect in effects]
    return [effect for effect in shown if effect != Unfollow(())]


def joined(join_ref: str | None = None, **settings: Any) -> Machine:
    machine = Machine(**settings)
    machine.join(join_ref)
    return machine


def ok(response: dict[str, Any]) -> dict[str, Any]:
    return {"status": "ok", "response": response}


def error(response: dict[str, Any]) -> dict[str, Any]:
    return {"status": "error", "response": response}


UNMATCHED = error({"reason": "unmatched topic"})


# §5.1 framing


@pytest.mark.parametrize(("vsn", "framing"), [("2.0.0", Framing.V2), ("2.0.11", Framing.V2), ("1.0.0", Framing.V1)])
def test_supported_versions(vsn: str, framing: Framing) -> None:
    assert framing_of(vsn) is framing


def test_an_absent_version_means_1_0_0() -> None:
    assert framing_of(None) is Framing.V1


@pytest.mark.parametrize(
    "vsn", ["", "2", "2.0", "2.1.0", "3.0.0", "1.1.0", "2.0.0.0", "02.0.0", "2.0.01", "x", "2.0.0 "]
)
def test_unsupported_versions(vsn: str) -> None:
    assert framing_of(vsn) is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "hello",
        "{}",
        "null",
        "7",
        '[null,"1","sync:v1","phx_join"]',
        '["1","2",3,"phx_join",{}]',
        '["1","2","sync:v1",null,{}]',
        '[{},"2","sync:v1","phx_join",{}]',
        '["1",["2"],"sync:v1","phx_join",{}]',
        '[null,"1","sync:v1","phx_join","\\ud800"]',
        "[" * 100_000,
    ],
)
def test_junk_ends_the_whole_socket_with_1011(text: str) -> None:
    machine = joined()
    assert frames(machine.connection.receive(text, 0)) == [Close(1011)]
    assert machine.connection.closed
    assert machine.join() == []
    assert machine.connection.tick(math.inf) == []


def test_more_than_five_elements_are_ignored() -> None:
    assert len(Machine().send(None, "1", "sync:v1", "phx_join", {}, "more", 6)) == 1


def test_version_1_frames_are_objects() -> None:
    machine = Machine(framing=Framing.V1)
    text = json.dumps({"topic": "sync:v1", "event": "phx_join", "payload": {}, "ref": "1"})
    (reply,) = frames(machine.connection.receive(text, 0))
    assert reply.keys() == {"topic", "event", "payload", "ref"}
    assert (reply["topic"], reply["event"], reply["ref"]) == ("sync:v1", "phx_reply", "1")


def test_an_array_is_junk_in_version_1() -> None:
    assert Machine(framing=Framing.V1).send(None, "1", "sync:v1", "phx_join", {}) == [Close(1011)]


# §5.2, §5.3 refs


@pytest.mark.parametrize("join_ref", [None, "7", "other"])
def test_after_a_null_join_any_join_ref_is_accepted(join_ref: str | None) -> None:
    assert joined(None).request("sync:heartbeat", join_ref=join_ref)


def test_after_a_join_with_a_join_ref_the_same_one_is_accepted() -> None:
    assert joined("a").request("sync:heartbeat", join_ref="a")


@pytest.mark.parametrize("event", ["sync:heartbeat", "sync:subscribe", "phx_leave", "nonsense"])
@pytest.mark.parametrize("join_ref", [None, "b"])
def test_after_a_join_with_a_join_ref_others_are_dropped(event: str, join_ref: str | None) -> None:
    machine = joined("a")
    assert machine.request(event, join_ref=join_ref) == []
    assert machine.request("sync:heartbeat", join_ref="a")


@pytest.mark.parametrize(("join_ref", "push_ref"), [(None, "7"), ("a", "a")])
def test_refs_of_server_frames(join_ref: str | None, push_ref: str) -> None:
    machine = Machine()
    assert machine.join(join_ref)[0][:4] == [join_ref, "7", "sync:v1", "phx_reply"]
    push, reply = machine.request("sync:heartbeat", join_ref=join_ref)
    assert push[:4] == [push_ref, None, "sync:v1", "sync:heartbeat"]
    assert reply[:4] == [push_ref, "8", "sync:v1", "phx_reply"]
    left, closed = machine.request("phx_leave", ref="9", join_ref=join_ref)
    assert left == [push_ref, "9", "sync:v1", "phx_reply", ok({})]
    assert closed == [join_ref, join_ref, "sync:v1", "phx_close", {}]


def test_a_crash_has_the_refs_of_the_join() -> None:
    assert joined("a").request("nonsense", join_ref="a")[0] == ["a", "a", "sync:v1", "phx_error", {}]


# §5.5 control messages


@pytest.mark.parametrize("is_joined", [False, True])
def test_a_transport_heartbeat_is_answered(is_joined: bool) -> None:
    machine = joined() if is_joined else Machine()
    assert machine.send(None, "9", "phoenix", "heartbeat", {}) == [[None, "9", "phoenix", "phx_reply", ok({})]]


def test_other_events_of_the_transport_are_unmatched() -> None:
    assert Machine().send(None, "9", "phoenix", "nonsense", {}) == [[None, "9", "phoenix", "phx_reply", UNMATCHED]]


@pytest.mark.parametrize("topic", ["sync:v2", "", "SYNC:V1"])
def test_a_join_of_another_topic_is_unmatched(topic: str) -> None:
    assert Machine().send("1", "1", topic, "phx_join", {}) == [[None, "1", topic, "phx_reply", UNMATCHED]]


@pytest.mark.parametrize("event", ["sync:subscribe", "sync:heartbeat", "nonsense"])
def test_events_before_the_join_are_unmatched(event: str) -> None:
    assert Machine().request(event) == [[None, "8", "sync:v1", "phx_reply", UNMATCHED]]


def test_leaving_without_a_join_is_fine() -> None:
    assert Machine().request("phx_leave") == [["7", "8", "sync:v1", "phx_reply", ok({})]]


def test_leaving_ends_the_channel_and_keeps_the_socket() -> None:
    machine = joined()
    machine.subscribe(EVENTS)
    assert Unfollow((EVENTS,)) in machine.effects("7", "9", "sync:v1", "phx_leave", {})
    assert machine.request("sync:heartbeat") == [[None, "8", "sync:v1", "phx_reply", UNMATCHED]]
    assert machine.join()[0][4]["status"] == "ok"


def test_a_second_join_answers_first_and_then_closes_the_old_channel() -> None:
    machine = joined("a")
    machine.effects("a", "8", "sync:v1", "sync:subscribe", SUBSCRIBE_EVENTS)
    machine.connection.subscribed(0)
    unfollow, reply, closed = machine.join("b", ref="9")
    assert unfollow == Unfollow((EVENTS,))
    assert reply[:4] == ["b", "9", "sync:v1", "phx_reply"]
    assert reply[4]["response"]["subscription_id"] == "sub_10"
    assert closed == ["a", "a", "sync:v1", "phx_close", {}]
    (push, _) = machine.request("sync:heartbeat", join_ref="b")
    assert push[4] == {"watermarks": []}


def test_an_unknown_event_crashes_the_channel_and_the_socket_is_closed_but_not_with_1000() -> None:
    machine = joined()
    assert machine.request("sync:nonsense") == [[None, None, "sync:v1", "phx_error", {}], Close(1011)]
    assert machine.connection.closed


# §7 join


@pytest.mark.parametrize("payload", [{}, None, 7, {"token": "x"}])
def test_a_join_ignores_its_payload(payload: Any) -> None:
    (reply,) = Machine(EVENTS).send(None, "7", "sync:v1", "phx_join", payload)
    response = {"subscription_id": "sub_9", "allowed_topics": [EVENTS], "current_watermarks": []}
    assert reply == [None, "7", "sync:v1", "phx_reply", ok(response)]


def test_allowed_topics_are_the_known_scopes_in_token_order() -> None:
    assert allowed_topics(["nonsense", SUMMARIES, EVENTS, SUMMARIES]) == (SUMMARIES, EVENTS)


# §8 subscribe


@pytest.mark.parametrize(
    "payload",
    [
        None,
        [],
        "x",
        {},
        {"topics": None},
        {"topics": EVENTS},
        {"topics": []},
        {"topics": [1, None, " "]},
        {"topics": [EVENTS], "resume_after": 7},
        {"topics": [EVENTS], "resume_after": "x"},
        {"topics": [EVENTS], "resume_after": {EVENTS: -1}},
        {"topics": [EVENTS], "resume_after": {EVENTS: 5.0}},
        {"topics": [EVENTS], "resume_after": {EVENTS: "5"}},
        {"topics": [EVENTS], "resume_after": {EVENTS: True}},
        {"topics": [EVENTS], "resume_after": {EVENTS: None}},
        {"topics": [EVENTS], "resume_after": {EVENTS: 2**63}},
        {"topics": [EVENTS], "resume_after": {EVENTS: 10**30}},
        {"topics": [EVENTS], "resume_after": {"something.else": -1}},
        {"topics": [EVENTS], "resume_after": [{"topic": EVENTS}]},
        {"topics": [EVENTS], "resume_after": [{"watermark": 1}]},
        {"topics": [EVENTS], "resume_after": [{"topic": 1, "watermark": 1}]},
        {"topics": [EVENTS], "resume_after": [7]},
    ],
)
def test_bad_subscriptions(payload: Any) -> None:
    machine = joined()
    reply = ["7", "8", "sync:v1", "phx_reply", error({"code": "bad_subscription"})]
    assert machine.send("7", "8", "sync:v1", "sync:subscribe", payload) == [reply]


@pytest.mark.parametrize(
    ("resume_after", "cursors"),
    [
        (None, {}),
        ({}, {}),
        ([], {}),
        ({EVENTS: 0}, {EVENTS: 0}),
        ({EVENTS: 2**63 - 1}, {EVENTS: 2**63 - 1}),
        ({EVENTS: 5, "something.else": 6}, {EVENTS: 5}),
        ({f" {EVENTS}": 5}, {}),
        ([{"topic": EVENTS, "watermark": 5, "more": 1}], {EVENTS: 5}),
    ],
)
def test_cursors(resume_after: Any, cursors: dict[str, int]) -> None:
    (effect,) = joined().effects(
        "7", "8", "sync:v1", "sync:subscribe", {"topics": [EVENTS], "resume_after": resume_after, "request_id": "x"}
    )
    assert isinstance(effect, Subscribe)
    assert effect.subscription.cursors == cursors


@pytest.mark.parametrize(
    ("size", "rows"), [(1, 1), (5000, 5000), (0, None), (-1, None), ("9", None), (2.0, None), (True, None)]
)
def test_replay_batch_size(size: Any, rows: int | None) -> None:
    (effect,) = joined().effects("7", "8", "sync:v1", "sync:subscribe", {"topics": [EVENTS], "replay_batch_size": size})
    assert isinstance(effect, Subscribe)
    assert effect.subscription.batch_rows == rows


def test_topics_are_trimmed_and_taken_once_in_order() -> None:
    machine = joined()
    (effect,) = machine.effects(
        "7", "8", "sync:v1", "sync:subscribe", {"topics": [f" {SUMMARIES} ", 7, "", EVENTS, SUMMARIES]}
    )
    assert isinstance(effect, Subscribe)
    assert effect.subscription.topics == (SUMMARIES, EVENTS)


def forbidden(*topics: str) -> list[Any]:
    response = {"code": "forbidden_topic", "forbidden_topics": list(topics)}
    return ["7", "8", "sync:v1", "phx_reply", error(response)]


def test_unknown_topics_come_before_topics_that_are_not_allowed() -> None:
    machine = joined()
    topics = ["SYNC_TOPIC_RUNTIME_NOTIFICATIONS", names.RUN_SUMMARIES, EVENTS]
    assert machine.request("sync:subscribe", {"topics": topics}) == [forbidden(topics[0])]
    assert machine.request("sync:subscribe", {"topics": topics[1:]}) == [forbidden(names.RUN_SUMMARIES)]


def test_topics_come_before_cursors() -> None:
    payload = {"topics": ["nonsense"], "resume_after": 7}
    assert joined().request("sync:subscribe", payload) == [forbidden("nonsense")]


def test_a_token_with_unknown_scopes_joins_and_may_subscribe_to_nothing() -> None:
    machine = Machine("nothing")
    machine.join()
    assert machine.request("sync:subscribe", SUBSCRIBE_EVENTS) == [forbidden(EVENTS)]


def test_the_reply_has_this_requests_topics_and_what_was_served() -> None:
    machine = joined()
    machine.subscribe(EVENTS)
    watermarks = [{"topic": SUMMARIES, "watermark": 90}]
    response = {"subscription_id": "sub_9", "topics": [SUMMARIES], "current_watermarks": watermarks}
    assert machine.subscribe(SUMMARIES) == [["7", "8", "sync:v1", "phx_reply", ok(response)]]


def test_no_frame_is_taken_while_a_subscribe_is_outstanding() -> None:
    machine = joined()
    machine.effects("7", "8", "sync:v1", "sync:subscribe", SUBSCRIBE_EVENTS)
    with pytest.raises(RuntimeError):
        machine.request("sync:heartbeat")


# §12 errors


def test_a_stale_cursor_is_pushed_and_replied_and_subscribes_nothing() -> None:
    machine = joined()
    machine.effects("7", "8", "sync:v1", "sync:subscribe", SUBSCRIBE_EVENTS)
    push, reply = frames(machine.connection.stale([StaleTopic(EVENTS, 118, 4200)]))
    assert push[:4] == ["7", None, "sync:v1", "sync:error"]
    assert reply == ["7", "8", "sync:v1", "phx_reply", error(push[4])]
    assert push[4].pop("message")
    assert push[4] == {
        "code": "stale_cursor",
        "full_resync_required": True,
        "stale_topics": [{"topic": EVENTS, "resume_after": 118, "retention_floor": 4200}],
    }
    assert machine.request("sync:heartbeat")[0][4] == {"watermarks": []}


# §11 unsubscribe


def test_unsubscribing_answers_what_is_left_and_forgets_the_position() -> None:
    machine = joined()
    machine.subscribe(EVENTS, SUMMARIES)
    unfollow, reply = machine.request("sync:unsubscribe", {"topics": [f"{EVENTS} ", "nonsense"]})
    assert unfollow == Unfollow((EVENTS,))
    assert reply == ["7", "8", "sync:v1", "phx_reply", ok({"subscription_id": "sub_9", "topics": [SUMMARIES]})]


def test_with_nothing_left_heartbeats_are_empty() -> None:
    machine = joined()
    machine.subscribe(EVENTS)
    machine.request("sync:unsubscribe", SUBSCRIBE_EVENTS)
    assert machine.request("sync:heartbeat")[0][4] == {"watermarks": []}


@pytest.mark.parametrize("payload", [7, {}, {"topics": EVENTS}, {"topics": [7]}])
def test_bad_unsubscribes(payload: Any) -> None:
    machine = joined()
    machine.subscribe(EVENTS)
    (reply,) = machine.request("sync:unsubscribe", payload)
    assert reply == ["7", "8", "sync:v1", "phx_reply", error({"code": "bad_subscription"})]
    assert machine.request("sync:heartbeat")[0][4]["watermarks"]


# §10 heartbeats and timeouts


def test_a_heartbeat_is_pushed_before_it_is_answered() -> None:
    machine = joined()
    machine.subscribe(EVENTS)
    watermarks = [{"topic": EVENTS, "watermark": 4711}]
    assert machine.request("sync:heartbeat", 7) == [
        ["7", None, "sync:v1", "sync:heartbeat", {"watermarks": watermarks}],
        ["7", "8", "sync:v1", "phx_reply", ok({"subscription_id": "sub_9", "watermarks": watermarks})],
    ]


def test_the_server_beats_and_pings_every_15_seconds_from_the_join() -> None:
    machine = joined()
    beat: list[Any] = ["7", None, "sync:v1", "sync:heartbeat", {"watermarks": []}]
    assert machine.tick_at(14.9) == []
    assert machine.tick_at(15) == [beat, Ping()]
    assert machine.tick_at(29.9) == []
    assert machine.tick_at(30.4) == [beat, Ping()]
    assert machine.connection.deadline == 45


def test_a_late_tick_is_not_made_up_for() -> None:
    machine = joined()
    assert len(machine.tick_at(50)) == 2
    assert machine.connection.deadline == 60


def test_a_silent_channel_ends_after_more_than_60_seconds_and_then_the_socket() -> None:
    machine = joined()
    assert [len(machine.tick_at(now)) for now in (15, 30, 45, 60)] == [2, 2, 2, 2]
    assert machine.tick_at(75) == [[None, None, "sync:v1", "phx_close", {}], Close(1002)]
    assert machine.connection.deadline == math.inf


@pytest.mark.parametrize(
    ("event", "payload"),
    [("sync:heartbeat", {}), ("sync:unsubscribe", SUBSCRIBE_EVENTS), ("phx_join", {})],
)
def test_successful_requests_are_activity(event: str, payload: Any) -> None:
    machine = joined()
    machine.tick_at(15)
    machine.request(event, payload)
    assert not any(machine.tick_at(now)[-1] == Close(1002) for now in (30, 45, 60, 75))


def test_a_successful_subscribe_is_activity() -> None:
    machine = joined()
    machine.tick_at(15)
    machine.subscribe(EVENTS)
    assert machine.tick_at(75)[-1] == Ping()


def test_a_pong_is_activity() -> None:
    machine = joined()
    machine.tick_at(15)
    machine.connection.pong(15.1)
    assert machine.tick_at(75)[-1] == Ping()
    assert machine.tick_at(90)[-1] == Close(1002)


@pytest.mark.parametrize(
    "frame",
    [
        ("7", "8", "sync:v1", "sync:subscribe", {}),
        ("7", "8", "sync:v1", "sync:unsubscribe", {}),
        (None, "8", "phoenix", "heartbeat", {}),
    ],
)
def test_failed_requests_and_transport_heartbeats_are_no_activity(frame: tuple[Any, ...]) -> None:
    machine = joined()
    machine.tick_at(15)
    machine.send(*frame)
    assert machine.tick_at(75)[-1] == Close(1002)


def test_a_dropped_frame_is_no_activity() -> None:
    machine = joined("a")
    machine.tick_at(15)
    assert machine.request("sync:heartbeat", join_ref="b") == []
    assert machine.tick_at(75)[-1] == Close(1002)


def test_a_channel_does_not_end_while_its_replay_runs() -> None:
    machine = joined()
    machine.effects("7", "8", "sync:v1", "sync:subscribe", SUBSCRIBE_EVENTS)
    assert machine.tick_at(90)[-1] == Ping()
    assert frames(machine.connection.subscribed(91))[0][4]["status"] == "ok"
    assert machine.tick_at(150)[-1] == Ping()


def test_a_socket_without_a_channel_ends_with_1002_after_60_silent_seconds() -> None:
    machine = Machine()
    assert machine.tick_at(59.9) == []
    machine.send(None, "9", "phoenix", "heartbeat", {})
    assert machine.tick_at(119.8) == []
    assert machine.tick_at(119.9) == [Close(1002)]


def test_a_socket_whose_channel_was_left_ends_too() -> None:
    machine = joined()
    machine.now = 5
    machine.request("phx_leave")
    assert machine.connection.deadline == 65


def test_pongs_without_a_channel_keep_nothing_open() -> None:
    machine = Machine()
    machine.connection.pong(30)
    assert machine.tick_at(60) == [Close(1002)]


def test_every_invariant_names_tests_that_exist() -> None:
    root = Path(__file__).parents[2]
    text = (root / "docs/sync-protocol.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`(test_\w+)`", text))
    found = {
        name for path in root.glob("tests/*/test_sync_*.py") for name in re.findall(r"def (test_\w+)", path.read_text())
    }
    assert re.findall(r"^\| (S\d+) ", text, re.MULTILINE) == [f"S{number}" for number in range(1, 13)]
    assert named <= found


def test_a_replay_is_pushed_to_the_join_that_asked_for_it() -> None:
    for framing in Framing:
        machine = Machine(framing=framing)
        for event, payload in (("phx_join", {}), ("sync:subscribe", SUBSCRIBE_EVENTS)):
            frame = {"join_ref": "7", "ref": "7", "topic": "sync:v1", "event": event, "payload": payload}
            text = json.dumps(list(frame.values()) if framing is Framing.V2 else frame)
            effects = machine.connection.receive(text, 0.0)
        [effect] = effects
        assert isinstance(effect, Subscribe)
        assert (effect.address.framing, effect.address.join_ref) == (framing, "7")
        assert effect.subscription.topics == (EVENTS,)


def test_a_frame_of_another_join_is_dropped_in_the_older_framing_too() -> None:
    machine = Machine(framing=Framing.V1)
    frame = {"join_ref": "7", "ref": "1", "topic": "sync:v1", "event": "phx_join", "payload": {}}
    machine.connection.receive(json.dumps(frame), 0.0)
    other = frame | {"join_ref": "6", "event": "sync:heartbeat"}
    assert machine.connection.receive(json.dumps(other), 0.0) == []
    assert machine.connection.receive(json.dumps(other | {"join_ref": "7"}), 0.0) != []
