"""Requests, approvals and caps with the real Codex, both versions, against an edge in memory."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.codex_scenes import NEWEST, PINNED, VERSIONS, Version
from tests.desk import Desk, at_a_desk, until
from tests.fake_edge import Json

ASK = ("--approve", "ask")
FOREVER = "run: sleep 600"


@pytest.fixture(params=VERSIONS, ids=lambda version: version.target)
async def desk(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Desk]:
    async with at_a_desk(tmp_path, installed(request.param)) as made:
        yield made


@pytest.fixture
async def pinned(tmp_path: Path) -> AsyncIterator[Desk]:
    async with at_a_desk(tmp_path, installed(PINNED)) as made:
        yield made


@pytest.fixture
async def newest(tmp_path: Path) -> AsyncIterator[Desk]:
    async with at_a_desk(tmp_path, installed(NEWEST)) as made:
        yield made


def installed(version: Version) -> Version:
    if not version.launcher.exists():
        pytest.skip(f"no Codex: run `make {version.target}`")
    return version


async def ask(desk: Desk, method: str, params: Any = None, within_s: float = 15) -> Json:
    """What is answered: a `result`, or an `error`."""
    return await desk.edge.answered(await desk.edge.ask(method, params, within_s=within_s))


async def result(desk: Desk, method: str, params: Any = None) -> Any:
    answer = await ask(desk, method, params)
    assert "result" in answer, answer
    return answer["result"]


async def error(desk: Desk, method: str, params: Any = None) -> tuple[int, str]:
    failed = (await ask(desk, method, params))["error"]
    return failed["code"], failed["message"]


async def events(desk: Desk, event_type: str, count: int = 1) -> list[Json]:
    return [event["payload"] for event in await desk.edge.recorded(event_type, count)]


async def answer(desk: Desk, decision: str, count: int = 1) -> None:
    """To the newest of so many approvals."""
    approval = (await events(desk, "worker.approval.requested", count))[-1]
    await result(desk, "approval/answer", {"approval_id": approval["approval_id"], "decision": decision})


async def thread_of(desk: Desk) -> str:
    """The thread of a first turn that has ended."""
    await desk.say("hello")
    [ended] = await events(desk, "turn/completed")
    return str(ended["params"]["threadId"])


def said(text: str) -> list[Json]:
    return [{"type": "text", "text": text}]


# --- approvals


KINDS = {"command": "run: touch {}", "file_change": "patch: {}\nhello\n"}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("decision", ["accept", "deny"])
async def test_a_file_exists_only_when_it_was_allowed(desk: Desk, kind: str, decision: str) -> None:
    async with desk.daemon(*ASK):
        await desk.say(KINDS[kind].format("a.txt"))
        [asked] = await events(desk, "worker.approval.requested")
        assert not (desk.folder / "a.txt").exists()
        await answer(desk, decision)
        await desk.edge.recorded("turn/completed")
    [answered] = await events(desk, "worker.approval.answered")
    assert (desk.folder / "a.txt").exists() == (decision == "accept")
    assert (asked["kind"], answered["approval_id"]) == (kind, asked["approval_id"])
    assert (answered["decision"], answered["cause"]) == (decision, "answered")
    assert (answered["answered_by"], answered["request_id"] != "") == ({"owner": "user:41"}, True)


@pytest.mark.parametrize("kind", KINDS)
async def test_silence_denies(desk: Desk, kind: str) -> None:
    async with desk.daemon(*ASK, "--approval-timeout", "0.5"):
        await desk.say(KINDS[kind].format("a.txt"))
        await desk.edge.recorded("turn/completed")
    [answered] = await events(desk, "worker.approval.answered")
    assert (answered["decision"], answered["cause"]) == ("deny", "silence")
    assert not (desk.folder / "a.txt").exists()


@pytest.mark.parametrize("kind", KINDS)
async def test_accepting_for_a_thread_holds_for_its_kind_there_and_for_nothing_else(desk: Desk, kind: str) -> None:
    other = next(asked for name, asked in KINDS.items() if name != kind)
    async with desk.daemon(*ASK):
        await desk.say(KINDS[kind].format("a.txt"))
        await answer(desk, "accept_for_thread")
        await desk.edge.recorded("turn/completed")
        await desk.say(KINDS[kind].format("b.txt"))
        await desk.edge.recorded("turn/completed", 2)
        assert (desk.folder / "b.txt").exists()
        await desk.say(other.format("c.txt"))
        await answer(desk, "deny", 2)
        await desk.edge.recorded("turn/completed", 3)
    assert not (desk.folder / "c.txt").exists()


async def test_a_file_change_shows_what_would_be_written(desk: Desk) -> None:
    async with desk.daemon(*ASK):
        await desk.say("patch: a.txt\nhello\n")
        [asked] = await events(desk, "worker.approval.requested")
    assert asked["changes"] == [{"path": str(desk.folder / "a.txt"), "kind": "add", "diff": "hello\n"}]


async def test_the_first_answer_decides(desk: Desk) -> None:
    async with desk.daemon(*ASK):
        await desk.say("run: touch a.txt")
        await answer(desk, "deny")
        [asked] = await events(desk, "worker.approval.requested")
        again = {"approval_id": asked["approval_id"], "decision": "accept"}
        code, message = await error(desk, "approval/answer", again)
        await desk.edge.recorded("turn/completed")
    assert code == -32602
    assert "was answered: deny" in message
    assert not (desk.folder / "a.txt").exists()


async def test_an_interrupted_turn_denies_what_it_asked(desk: Desk) -> None:
    async with desk.daemon(*ASK):
        await desk.say("run: touch a.txt")
        await events(desk, "worker.approval.requested")
        await result(desk, "turn/interrupt")
        [answered] = await events(desk, "worker.approval.answered")
    assert (answered["decision"], answered["cause"]) == ("deny", "interrupted")
    assert not (desk.folder / "a.txt").exists()


async def test_what_a_killed_daemon_asked_is_denied_by_the_next_one(pinned: Desk) -> None:
    async with pinned.daemon(*ASK) as process:
        await pinned.say("run: touch a.txt")
        [asked] = await events(pinned, "worker.approval.requested")
        process.kill()
        await process.wait()
    async with pinned.daemon(*ASK):
        [answered] = await events(pinned, "worker.approval.answered")
    assert answered["approval_id"] == asked["approval_id"]
    assert (answered["decision"], answered["cause"]) == ("deny", "daemon_restarted")
    assert not (pinned.folder / "a.txt").exists()


# --- requests


async def test_a_turn_is_interrupted_without_its_id(desk: Desk) -> None:
    async with desk.daemon():
        await desk.say(FOREVER)
        [started] = await events(desk, "turn/started")
        interrupted = await result(desk, "turn/interrupt")
        [ended] = await events(desk, "turn/completed")
    turn = started["params"]["turn"]["id"]
    assert interrupted == {"threadId": started["params"]["threadId"], "turnId": turn}
    assert (ended["params"]["turn"]["id"], ended["params"]["turn"]["status"]) == (turn, "interrupted")


async def test_a_turn_that_does_not_run_is_not_interrupted(desk: Desk) -> None:
    async with desk.daemon():
        assert await error(desk, "turn/interrupt") == (-32000, "no turn runs there")
        await desk.say(FOREVER)
        [started] = await events(desk, "turn/started")
        other = {"threadId": started["params"]["threadId"], "turnId": "0199aaaa-0000-7000-8000-000000000000"}
        assert (await error(desk, "turn/interrupt", other))[0] == -32000
        assert (await result(desk, "turn/interrupt"))["turnId"] == started["params"]["turn"]["id"]


async def test_a_turn_can_be_asked_for_steered_and_read(desk: Desk) -> None:
    async with desk.daemon():
        thread_id = await thread_of(desk)
        command = said("run: touch begun; while true; do sleep 0.05; done")
        begun = await result(desk, "turn/start", {"threadId": thread_id, "input": command})
        await until((desk.folder / "begun").exists)  # else the model might be asked what steers only
        steered = await result(desk, "turn/steer", {"threadId": thread_id, "input": said("and hurry")})
        await result(desk, "turn/interrupt", {"threadId": thread_id})
        read = await result(desk, "thread/read", {"threadId": thread_id, "includeTurns": True})
    assert steered["turnId"] == begun["turn"]["id"]
    assert begun["turn"]["id"] in [turn["id"] for turn in read["thread"]["turns"]]


async def test_a_turn_that_is_asked_for_waits_for_the_one_that_runs_and_not_beyond_its_deadline(desk: Desk) -> None:
    async with desk.daemon():
        thread_id = await thread_of(desk)
        await desk.say("run: while [ ! -e go ]; do sleep 0.05; done")
        await desk.edge.recorded("turn/started", 2)
        params = {"threadId": thread_id, "input": said("run: touch late.txt")}
        late = await ask(desk, "turn/start", params, within_s=0.3)
        waiting = await desk.edge.ask("turn/start", params | {"input": said("run: touch next.txt")})
        (desk.folder / "go").touch()
        begun = await desk.edge.answered(waiting)
        ended = await events(desk, "turn/completed", 3)
    assert late["error"]["code"] == -32003
    assert ended[-1]["params"]["turn"]["id"] == begun["result"]["turn"]["id"]
    assert (desk.folder / "next.txt").exists()
    assert not (desk.folder / "late.txt").exists()


async def test_threads_are_listed_forked_and_put_away(desk: Desk) -> None:
    async with desk.daemon():
        thread_id = await thread_of(desk)
        fork = (await result(desk, "thread/fork", {"threadId": thread_id}))["thread"]["id"]
        await result(desk, "turn/start", {"threadId": fork, "input": said("there")})
        await desk.edge.recorded("turn/completed", 2)
        listed = await result(desk, "thread/list")
        await result(desk, "thread/archive", {"threadId": fork})
        left = await result(desk, "thread/list")
        assert (await result(desk, "thread/resume", {"threadId": thread_id}))["thread"]["id"] == thread_id
        await desk.say("and here again")
        [*_, ended] = await events(desk, "turn/completed", 3)
    assert {thread_id, fork} <= {thread["id"] for thread in listed["data"]}
    assert fork not in {thread["id"] for thread in left["data"]}
    assert ended["params"]["threadId"] == thread_id


async def test_what_codex_knows_of_itself_can_be_asked(desk: Desk) -> None:
    async with desk.daemon():
        assert (await result(desk, "model/list"))["data"]
        assert (await result(desk, "config/read"))["config"]["model"] == "stub-model"
        assert "data" in await result(desk, "skills/list", {"cwds": [str(desk.folder)]})


async def test_refusals_say_why_and_reach_no_codex(desk: Desk) -> None:
    async with desk.daemon():
        thread_id = await thread_of(desk)
        turn = {"threadId": thread_id, "input": said("run: touch a.txt")}
        refused = [
            await error(desk, "turn/start", turn | {"sandboxPolicy": {"type": "dangerFullAccess"}}),
            await error(desk, "turn/start", turn | {"approvalPolicy": "never"}),
            await error(desk, "thread/resume", {"threadId": thread_id, "config": {"sandbox_mode": "read-only"}}),
            await error(desk, "thread/resume", {"threadId": thread_id, "cwd": "/"}),
        ]
        unknown = [await error(desk, "fs/writeFile"), await error(desk, "command/exec", {"command": ["ls"]})]
        failed = await error(desk, "thread/read", {"threadId": "0199aaaa-0000-7000-8000-000000000000"})
    assert [code for code, _ in refused] == [-32602] * 4
    assert "`sandboxPolicy`" in refused[0][1]
    assert [code for code, _ in unknown] == [-32601] * 2
    assert failed[0] == -32000
    assert failed[1]
    assert not (desk.folder / "a.txt").exists()


async def test_commands_run_when_the_owner_allowed_it_and_stay_in_the_sandbox(newest: Desk) -> None:
    async with newest.daemon("--allow-exec", "--sandbox", "workspace-write"):
        wrote = await result(newest, "command/exec", {"command": ["sh", "-c", "echo hello; touch a.txt"]})
        outside = await result(newest, "command/exec", {"command": ["sh", "-c", "touch $HOME/steered.txt"]})
    assert (wrote["stdout"], wrote["exitCode"]) == ("hello\n", 0)
    assert outside["exitCode"] != 0
    assert (newest.folder / "a.txt").exists()
    assert not (Path.home() / "steered.txt").exists()


async def test_an_answer_larger_than_an_event_is_cut_and_says_so(newest: Desk) -> None:
    async with newest.daemon("--allow-exec"):
        printed = ["sh", "-c", "head -c 600000 /dev/zero | tr '\\0' x"]
        answered = await result(newest, "command/exec", {"command": printed})
    assert (answered["truncated"], answered["exitCode"]) == (True, 0)
    assert answered["stdout"].endswith("characters cut]")


# --- spending


async def test_a_turn_tells_what_it_used(desk: Desk) -> None:
    async with desk.daemon():
        await desk.say("usage: 100 x 3")
        await desk.say("usage: 7")
        first, second = await events(desk, "worker.turn.usage", 2)
    assert (first["total_tokens"], first["input_tokens"], first["output_tokens"]) == (300, 150, 150)
    assert (second["total_tokens"], second["outcome"], second["model"]) == (7, "completed", "stub-model")
    ended = [turn["params"]["turn"]["id"] for turn in await events(desk, "turn/completed", 2)]
    assert [first["turn_id"], second["turn_id"]] == ended


@pytest.mark.parametrize("cap", ["--max-turn-tokens", "--max-day-tokens"])
async def test_a_cap_interrupts_the_turn(desk: Desk, cap: str) -> None:
    async with desk.daemon(cap, "250"):
        await desk.say("usage: 100 x 50")
        [used] = await events(desk, "worker.turn.usage")
        [told] = [payload for payload in await events(desk, "worker.error") if payload["method"] == "turn/interrupt"]
    assert used["outcome"] == "over_limit"
    assert 300 <= used["total_tokens"] < 5000
    assert "cap is 250" in told["params"]["error"]["message"]


async def test_when_the_day_is_used_up_messages_and_requests_are_told_so(desk: Desk) -> None:
    async with desk.daemon():
        await desk.say("usage: 100")
        [used] = await events(desk, "worker.turn.usage")
        set_to = await result(desk, "limits/set", {"day_tokens": 100})
        await desk.say("run: touch a.txt")
        [refused] = [event for event in await events(desk, "worker.error") if event["method"] == "turn/start"]
        params = {"threadId": used["thread_id"], "input": said("run: touch a.txt")}
        code, message = await error(desk, "turn/start", params)
        await result(desk, "limits/set", {})
        await desk.say("run: touch b.txt")
        await desk.edge.recorded("turn/completed", 2)
    limits = await events(desk, "worker.limits.set", 2)
    assert set_to == {"turn_tokens": None, "day_tokens": 100}
    assert limits == [{"day_tokens": 100, "set_by": {"owner": "user:41"}}, {"set_by": {"owner": "user:41"}}]
    assert "the day's cap is 100: no turn begins before" in refused["params"]["error"]["message"]
    assert (code, message) == (-32000, refused["params"]["error"]["message"])
    assert (desk.folder / "b.txt").exists()
    assert not (desk.folder / "a.txt").exists()


async def test_what_a_turn_used_until_its_codex_was_killed_is_told(pinned: Desk) -> None:
    async with pinned.daemon() as process:
        await pinned.say("usage: 100 x 5000")
        await pinned.edge.recorded("thread/tokenUsage/updated")
        process.kill()
        await process.wait()
    async with pinned.daemon():
        [used] = await events(pinned, "worker.turn.usage")
    assert used["outcome"] == "failed"
    assert used["total_tokens"] >= 100


async def test_caps_outlive_a_lost_disk(pinned: Desk) -> None:
    async with pinned.daemon():
        await result(pinned, "limits/set", {"turn_tokens": 250})
        await pinned.edge.recorded("worker.limits.set")
    for file in pinned.state.iterdir():
        file.unlink()
    async with pinned.daemon():
        await pinned.say("usage: 100 x 50")
        [used] = await events(pinned, "worker.turn.usage")
    assert used["outcome"] == "over_limit"


async def test_a_daemon_that_ends_tells_what_its_turn_used(pinned: Desk) -> None:
    async with pinned.daemon() as process:
        await pinned.say("usage: 100 x 5000")
        await pinned.edge.recorded("thread/tokenUsage/updated")
        process.terminate()
        await until(lambda: process.returncode is not None)
    [used] = await events(pinned, "worker.turn.usage")
    assert used["outcome"] == "interrupted"
