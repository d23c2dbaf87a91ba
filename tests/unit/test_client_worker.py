"""The daemon's decisions without a daemon: what is mirrored, what is asked for, how events are delivered."""

import asyncio
from collections.abc import Sequence
from itertools import chain
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from oa_client import NewEvent, WorkerEvent
from oa_client.errors import Conflict, NoCodex, ServerFailed, Unreachable
from oa_client.worker.installation import environment, find_codex, native, write_stub_profile
from oa_client.worker.intents import Acknowledge, Intents, Stop, Turn, acknowledgement
from oa_client.worker.mirror import mirrored
from oa_client.worker.outbox import Outbox
from oa_client.worker.turns import TurnSettings
from oa_client.workers import Payload

NOON = "2026-02-25T12:00:00.000000Z"


@pytest.mark.parametrize(
    ("method", "event_type"),
    [
        ("thread/started", "worker.started"),
        ("thread/completed", "worker.stopped"),
        ("error", "worker.error"),
        ("codex/error", "worker.error"),
        ("turn/started", "worker.event"),
        ("item/agentMessage/delta", "worker.event"),
    ],
)
def test_a_notification_becomes_the_event_of_its_method(method: str, event_type: str) -> None:
    params = {"turnId": "t9", "text": "zwei\u2028Zeilen"}
    assert mirrored({"method": method, "params": params}, NOON) == (
        event_type,
        {"source": "autopilot-desktop", "method": method, "params": params, "occurred_at": NOON},
    )


def test_a_request_of_codex_is_mirrored_with_its_id() -> None:
    event = mirrored({"id": 7, "method": "item/fileChange/requestApproval", "params": {}}, NOON)
    assert event is not None
    assert (event[0], event[1]["request_id"]) == ("worker.request.received", "7")


def test_what_codex_says_twice_is_mirrored_once() -> None:
    assert mirrored({"method": "codex/event/agent_message", "params": {}}, NOON) is None


def test_params_are_an_object_also_when_codex_sends_none() -> None:
    event = mirrored({"method": "turn/started"}, NOON)
    assert event is not None
    assert event[1]["params"] == {}


@given(st.integers(0, 700_000), st.integers(1, 200))
def test_no_event_is_larger_than_the_server_takes(characters: int, parts: int) -> None:
    params = {"item": {"id": "i1", "aggregatedOutput": "ü" * characters, "parts": ["x" * 9_000] * parts}}
    event = mirrored({"method": "item/completed", "params": params}, NOON)
    assert event is not None
    assert len(msgspec.json.encode(event[1])) <= 300 * 1024


def test_a_large_output_is_cut_and_the_rest_of_its_event_stays() -> None:
    params = {"item": {"id": "i1", "aggregatedOutput": "x" * 600_000}, "turnId": "t9"}
    event = mirrored({"method": "item/completed", "params": params}, NOON)
    assert event is not None
    item = event[1]["params"]["item"]
    assert (item["id"], event[1]["params"]["turnId"]) == ("i1", "t9")
    assert item["aggregatedOutput"].endswith("[591808 characters cut]")


def event(event_type: str = "worker.event", **payload: object) -> WorkerEvent:
    return WorkerEvent("desktopw:shared", 5, event_type, payload, NOON)


def message(text: object, message_id: str | None = None) -> WorkerEvent:
    return event(source="autopilot-ios", method="ios/user_message", params={"text": text}, message_id=message_id)


@pytest.mark.parametrize(
    ("incoming", "intent"),
    [
        (event(method="ios/handshake", handshake_id="5b0f "), Acknowledge("5b0f ")),
        (message("  fix it\n", message_id="m1"), Turn("  fix it\n")),
        (message("fix it"), Turn("fix it")),
        (event("worker.stopped", reason="enough"), Stop("enough")),
        (event("worker.stopped"), Stop("stopped")),
        (event(method="ios/handshake"), None),
        (event(method="ios/handshake", handshake_id=" "), None),
        (message(" "), None),
        (message(7), None),
        (event(method="ios/user_message"), None),
        (event(method="ios/handshake", handshake_id="5b0f", source="autopilot-desktop"), None),
        (event("worker.heartbeat", method="ios/handshake", handshake_id="5b0f"), None),
        (event(method="turn/started"), None),
    ],
)
def test_what_an_event_asks_for(incoming: WorkerEvent, intent: object) -> None:
    assert Intents().of(incoming) == intent


def test_a_repeated_handshake_or_message_asks_for_nothing() -> None:
    intents = Intents()
    repeated = [event(method="ios/handshake", handshake_id="a"), message("fix it", message_id="a")]
    assert [intents.of(incoming) for incoming in repeated] == [Acknowledge("a"), Turn("fix it")]
    assert [intents.of(incoming) for incoming in repeated] == [None, None]


def test_the_same_text_in_two_messages_is_two_turns() -> None:
    intents = Intents()
    assert (
        intents.of(message("again", message_id="m1")) == intents.of(message("again", message_id="m2")) == Turn("again")
    )


def test_an_acknowledgement_has_every_field_that_a_phone_demands() -> None:
    assert acknowledgement("5b0f ", "s1", NOON) == {
        "source": "autopilot-desktop",
        "method": "desktop/handshake_ack",
        "handshake_id": "5b0f ",
        "desktop_session_id": "s1",
        "occurred_at": NOON,
    }


class Edge:
    """Takes batches; answers the first ones with the given errors, after recording them when they say so."""

    def __init__(self, *failures: Exception) -> None:
        self.failures = list(failures)
        self.batches: list[list[NewEvent]] = []

    async def post(self, events: Sequence[NewEvent]) -> None:
        await asyncio.sleep(0)
        self.batches.append(list(events))
        if self.failures:
            raise self.failures.pop(0)


async def deliver(edge: Edge, *payloads: Payload) -> list[list[int]]:
    """The numbers in the ids of each batch that arrived."""
    outbox = Outbox(edge.post, "s1")
    for payload in payloads:
        await outbox.put("worker.event", payload)
    running = asyncio.create_task(outbox.run())
    delivered = asyncio.create_task(outbox.delivered())
    await asyncio.wait([running, delivered], return_when=asyncio.FIRST_COMPLETED)
    delivered.cancel()
    if running.done():
        running.result()
    running.cancel()
    return [[int(item.event_id.removeprefix("s1:")) for item in batch] for batch in edge.batches]


async def test_what_waits_goes_out_as_one_batch_in_order() -> None:
    assert await deliver(Edge(), *[{"n": n} for n in range(5)]) == [[1, 2, 3, 4, 5]]


async def test_a_batch_is_repeated_with_the_same_ids_until_it_is_acknowledged() -> None:
    edge = Edge(Unreachable("cut"), ServerFailed(503, "", "down"))
    assert await deliver(edge, {"n": 1}, {"n": 2}) == [[1, 2]] * 3


async def test_a_batch_has_at_most_500_events() -> None:
    batches = await deliver(Edge(), *[{}] * 1_100)
    assert [len(batch) for batch in batches] == [500, 500, 100]
    assert list(chain(*batches)) == list(range(1, 1_101))


async def test_a_batch_stays_below_one_mebibyte() -> None:
    edge = Edge()
    numbers = await deliver(edge, *[{"text": "x" * 250_000}] * 9)
    assert list(chain(*numbers)) == list(range(1, 10))
    assert all(len(msgspec.json.encode({"events": batch})) <= 1 << 20 for batch in edge.batches)


async def test_a_refusal_that_no_repetition_mends_ends_the_delivery() -> None:
    with pytest.raises(Conflict):
        await deliver(Edge(Conflict(409, "conflict", "worker is not running")), {})


@pytest.mark.parametrize(
    ("approve_all", "policy", "decision"), [(False, "never", "decline"), (True, "untrusted", "accept")]
)
def test_approvals_are_given_or_declined_as_settled_at_start(approve_all: bool, policy: str, decision: str) -> None:
    settings = TurnSettings(Path("/work"), "workspace-write", approve_all)
    assert settings.thread == {"cwd": "/work", "sandbox": "workspace-write", "approvalPolicy": policy}
    assert settings.decision({"id": 1, "method": "item/commandExecution/requestApproval"}) == {"decision": decision}
    assert settings.decision({"id": 1, "method": "item/tool/call"}) is None


def executable(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return path


def test_the_configured_codex_wins_over_the_one_on_path_and_that_over_npms(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "package"
    npms = executable(package / "node_modules" / ".bin" / "codex")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    assert find_codex(None, package) == npms
    on_path = executable(tmp_path / "bin" / "codex")
    assert find_codex(None, package) == on_path
    configured = executable(tmp_path / "mine")
    assert find_codex(configured, package) == configured


def test_without_any_codex_it_says_how_to_get_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(NoCodex, match="npm ci"):
        find_codex(None, tmp_path)
    with pytest.raises(NoCodex, match="OA_CODEX_BIN"):
        find_codex(tmp_path / "missing", tmp_path)


@pytest.mark.parametrize(("binary", "tools"), [("codex/codex", "path"), ("bin/codex", "codex-path")])
def test_the_binary_behind_npms_launcher_is_run_itself_with_the_tools_it_brings(
    tmp_path: Path, binary: str, tools: str
) -> None:
    modules = tmp_path / "node_modules" / "@openai"
    script = executable(modules / "codex" / "bin" / "codex.js")
    launcher = tmp_path / "codex"
    launcher.symlink_to(script)
    assert native(launcher) == script
    installed = modules / "codex-linux-x64" / "vendor" / "x86_64-unknown-linux-musl"
    executable(installed / tools / "rg")
    found = executable(installed / binary)
    assert native(launcher) == found
    assert environment({"PATH": "/bin"}, tmp_path, found)["PATH"] == f"{installed / tools}:/bin"


def test_codex_and_its_commands_do_not_see_our_settings(tmp_path: Path) -> None:
    inherited = {"OA_TOKEN": "secret", "OA_DATABASE_URL": "secret", "HOME": "/home/ada", "PATH": "/bin"}
    seen = environment(inherited, tmp_path, tmp_path / "codex" / "codex")
    assert seen == {"HOME": "/home/ada", "PATH": "/bin", "CODEX_HOME": str(tmp_path)}


def test_the_stub_profile_is_a_home_that_knows_only_the_stub(tmp_path: Path) -> None:
    write_stub_profile(tmp_path / "codex", "http://127.0.0.1:21200/v1/")
    config = msgspec.toml.decode((tmp_path / "codex" / "config.toml").read_bytes())
    assert config["model_provider"] == "stub"
    assert config["model_providers"]["stub"]["base_url"] == "http://127.0.0.1:21200/v1"
