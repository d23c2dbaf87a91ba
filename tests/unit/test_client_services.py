"""What the client shows the signed API and reads of run streams (runtime §2.2, §2.3, §2.17), without an edge."""

import asyncio
import json
from collections.abc import Iterator
from contextlib import aclosing
from itertools import repeat
from pathlib import Path
from typing import Any

import httpx
import pytest
from oa_client import Client, RunEvent, Signed
from oa_client.cli import build
from oa_client.errors import BadAnswer, NotSignedIn
from oa_client.runs import event_of
from oa_client.sse import Frame

from edge.auth.request_token import HEADER, Context, RequestTokenSettings, verify
from schemas import compact

SECRET = "contract-demo-secret"
NOW = 1_767_225_600


def claims_of(headers: dict[str, str]) -> dict[str, Any]:
    part = headers[HEADER].split(".")[1]
    claims: dict[str, Any] = json.loads(compact.decode(part))
    return claims


def test_a_token_is_made_as_the_worked_example() -> None:
    """Runtime §2.2, byte by byte."""
    headers = Signed(SECRET, user_id=7).headers_of({"run_id": "run_demo", "thread_id": "thr_demo"}, NOW, "n-0001")
    assert headers == {
        HEADER: "v1.eyJpYXQiOjE3NjcyMjU2MDAsImV4cCI6MTc2NzIyNTY2MCwibm9uY2UiOiJuLTAwMDEiLCJydW5faWQiOiJydW5fZGVtbyIsIn"
        "RocmVhZF9pZCI6InRocl9kZW1vIiwidXNlcl9pZCI6N30.2RRJ22RxU-bkpeBC_Pa4qGPhtbdjS4brZILz5EURgJs",
        "x-oa-user-id": "7",
    }


def test_a_token_says_what_the_request_says_and_no_more() -> None:
    """Runtime §2.2: what is bound; §2.3: whom it is for."""
    guest = Signed(SECRET, guest_scope="g-1")
    headers = guest.headers_of({"thread_id": "t", "run_id": 5, "reason": "r"}, NOW, "n")
    assert claims_of(headers) == {"iat": NOW, "exp": NOW + 60, "nonce": "n", "thread_id": "t", "guest_scope": "g-1"}
    assert headers["x-oa-guest-scope"] == "g-1"
    context = Context(guest_scope="g-1", thread_id="t")
    assert verify(headers[HEADER], context, RequestTokenSettings(SECRET), NOW).nonce == "n"


def test_no_nonce_is_given_twice_and_the_secret_is_not_shown() -> None:
    signed = Signed(SECRET, user_id=7)
    assert claims_of(signed.headers({}))["nonce"] != claims_of(signed.headers({}))["nonce"]
    assert SECRET not in repr(signed)


def test_a_secret_may_be_in_a_file(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text(f"{SECRET}\n")
    assert Signed.from_file(file, user_id=7) == Signed(SECRET, user_id=7)


@pytest.mark.parametrize(
    "wrong", [{"secret": "", "user_id": 7}, {"secret": "s"}, {"secret": "s", "user_id": 7, "guest_scope": "g"}]
)
def test_a_service_has_a_secret_and_asks_for_somebody(wrong: dict[str, Any]) -> None:
    with pytest.raises(NotSignedIn):
        Signed(**wrong)


@pytest.mark.parametrize(
    ("told", "event"),
    [
        ({"type": "start", "meta": {}}, RunEvent(3, "run.started", {})),
        ({"type": "text-delta", "delta": "Bon"}, RunEvent(3, "run.delta", {"delta": "Bon"})),
        ({"type": "tool-call", "toolCall": {"a": 1}}, RunEvent(3, "tool.call", {"a": 1})),
        ({"type": "tool-result", "toolResult": {"a": 1}}, RunEvent(3, "tool.result", {"a": 1})),
        ({"type": "finish", "meta": {"status": "failed"}}, RunEvent(3, "run.finished", {"status": "failed"})),
        ({"type": "event", "eventType": "my.own", "payload": {"k": 1}}, RunEvent(3, "my.own", {"k": 1})),
    ],
)
def test_frames_of_a_run_are_its_events(told: dict[str, Any], event: RunEvent) -> None:
    """Runtime §2.17."""
    assert event_of(Frame("3", "message", json.dumps({"runId": "r", **told}))) == event


def test_the_mark_behind_the_end_is_no_event() -> None:
    """Runtime §2.17, DEC-16."""
    assert event_of(Frame("3", "message", "[DONE]")) is None


@pytest.mark.parametrize(
    "frame",
    [Frame("3", "message", "{"), Frame("3", "message", "{}"), Frame("", "message", '{"type":"start","meta":{}}')],
)
def test_any_other_frame_is_a_bad_answer(frame: Frame) -> None:
    with pytest.raises(BadAnswer):
        event_of(frame)


class Elsewhere:
    """An edge that tells these windows, one after the other; every second question gets no answer."""

    def __init__(self, *windows: str) -> None:
        self._windows = list(windows)
        self._is_away = True

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/stream"):
            return httpx.Response(200, text=self._windows.pop(0), headers={"content-type": "text/event-stream"})
        self._is_away = not self._is_away
        told = {"runId": "r", "threadId": "t", "status": "running", "latestSeq": 3, "updatedAt": "2026-01-01T00:00:00Z"}
        return httpx.Response(503, json={}) if self._is_away else httpx.Response(200, json=told)


def window(*seqs: int) -> str:
    ends = {"type": "finish", "meta": {}}
    frames = ((seq, json.dumps(ends if seq == 3 else {"type": "text-delta", "delta": str(seq)})) for seq in seqs)
    return "".join(f"event: message\nid: {seq}\ndata: {told}\n\n" for seq, told in frames)


async def test_events_come_once_each_however_often_they_are_told_and_whatever_is_away() -> None:
    """DESIGN I8."""
    edge = Elsewhere(window(1, 2), window(2), window(1, 2, 3))
    client = Client(
        "http://edge", signed=Signed(SECRET, user_id=7), pauses=at_once, transport=httpx.MockTransport(edge)
    )
    async with asyncio.timeout(10), client, aclosing(client.runs["t", "r"].events(0)) as events:
        assert [event.seq async for event in events] == [1, 2, 3]


def at_once() -> Iterator[float]:
    return repeat(0.0)


def test_services_and_operators_share_one_group_of_commands_about_runs() -> None:
    [group] = [known.typer_instance for known in build().registered_groups if known.name == "runs"]
    assert group is not None
    commands = [command.name or getattr(command.callback, "__name__", "") for command in group.registered_commands]
    assert commands == ["list", "start", "say", "tail", "cancel", "show", "verify", "append", "prune"]
