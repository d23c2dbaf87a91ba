"""The commands login, say and tail as a person runs them, and where they find address and token."""

import asyncio
import json
import os
import sys
from pathlib import Path

import pytest
from oa_client import WorkerEvent
from oa_client.connection import Connection, Places, resolve, save_login
from oa_client.errors import NotSignedIn
from oa_client.rendering import line_of
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.daemons_edge import DaemonsEdge
from tests.fake_edge import CODE, TOKEN, FakeEdge, serving
from tests.services import free_port

WORKER = "desktopw:shared"


async def start(home: Path, *arguments: str, **variables: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", "from oa_client.cli import main; main()", *arguments),
        cwd=home,
        env={"HOME": str(home), "PATH": os.environ["PATH"], **variables},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


async def oa(home: Path, *arguments: str, typed: str = "", **variables: str) -> tuple[int | None, str, str]:
    process = await start(home, *arguments, **variables)
    printed, complained = await process.communicate(typed.encode())
    return process.returncode, printed.decode(), complained.decode()


def kept_logins(home: Path) -> list[int]:
    """The permissions of each login file."""
    return [path.stat().st_mode & 0o777 for path in home.rglob("login.json")]


async def a_worker(edge: FakeEdge) -> None:
    edge.worker_id, edge.status = WORKER, "running"
    await edge.append("worker.started", {"status": "running"})


async def test_after_login_the_next_commands_need_no_token(tmp_path: Path) -> None:
    edge = FakeEdge()
    async with serving(edge, free_port()) as url:
        await a_worker(edge)
        status, printed, _ = await oa(tmp_path, "login", "--email", "ada@lane.test", "--url", url, typed=f"{CODE}\n")
        assert (status, f"Signed in to {url}" in printed) == (0, True)
        status, printed, _ = await oa(tmp_path, "say", "run: ls -l")
        assert (status, printed) == (0, f"Sent to {WORKER} as event 2.\n")
    assert edge.events[1]["payload"]["params"]["text"] == "run: ls -l"
    assert kept_logins(tmp_path) == [0o600]


async def test_a_wrong_code_is_told_and_nothing_is_kept(tmp_path: Path) -> None:
    async with serving(FakeEdge(), free_port()) as url:
        status, _, complained = await oa(tmp_path, "login", "--email", "a@b.test", "--url", url, typed="000000\n")
    assert (status, "Wrong code. `oa login` sends a new one." in complained) == (1, True)
    assert kept_logins(tmp_path) == []


async def test_a_message_may_go_to_the_turn_that_runs_or_to_another_thread(tmp_path: Path) -> None:
    edge = FakeEdge()
    async with serving(edge, free_port()) as url:
        await a_worker(edge)
        await oa(tmp_path, "say", "faster", "--steer", "--thread", "t1", OA_URL=url, OA_TOKEN=TOKEN)
    params = edge.events[1]["payload"]["params"]
    assert (params["text"], params["mode"], params["thread_id"]) == ("faster", "steer", "t1")


async def test_after_logout_nobody_is_signed_in_and_the_token_is_of_no_use(tmp_path: Path) -> None:
    edge = SigningEdge()
    async with serving(edge, free_port()) as url:
        await a_worker(edge)
        await oa(tmp_path, "login", "--email", "ada@lane.test", "--url", url, typed=f"{CODE}\n")
        assert (await oa(tmp_path, "logout"))[:2] == (0, f"Signed out of {url}.\n")
        assert (await oa(tmp_path, "logout"))[:2] == (0, "Nobody is signed in.\n")
    assert kept_logins(tmp_path) == []
    assert edge.revoked == [f"Bearer {TOKEN}"]


class SigningEdge(FakeEdge):
    """Keeps whose token was revoked."""

    def __init__(self) -> None:
        super().__init__()
        self.revoked: list[str] = []

    def app(self) -> Starlette:
        app = super().app()
        app.routes.insert(0, Route("/api/tokens/current", self._revoke, methods=["DELETE"]))
        return app

    async def _revoke(self, request: Request) -> Response:
        self.revoked.append(request.headers["authorization"])
        return JSONResponse({"ok": True})


async def test_approvals_are_listed_and_answered(tmp_path: Path) -> None:
    edge = DaemonsEdge(open_approvals=["a1"])
    asked = {"approval_id": "a1", "choices": [], "command": "make clean", "cwd": "/desk", "reason": "needs [room]"}
    async with serving(edge, free_port()) as url:
        await a_worker(edge)
        await edge.append("worker.approval.requested", asked)
        signed_in = {"OA_URL": url, "OA_TOKEN": TOKEN}
        _, listed, _ = await oa(tmp_path, "approve", **signed_in)
        assert listed == "a1  run: make clean in /desk (needs [room])\n`oa approve ID` allows it once.\n"
        _, lines, _ = await oa(tmp_path, "approve", "--json", **signed_in)
        assert json.loads(lines)["command"] == "make clean"
        for option in ([], ["--deny"], ["--thread"]):
            assert (await oa(tmp_path, "approve", "a1", *option, **signed_in))[0] == 0
        assert (await oa(tmp_path, "approve", "a1", "--deny", "--thread", **signed_in))[0] == 2
        edge.answer = {"error": {"code": -32602, "message": "a1 is not open"}}
        status, _, complained = await oa(tmp_path, "approve", "a1", **signed_in)
        assert (status, "a1 is not open" in complained) == (1, True)
        edge.told = {"open_approvals": []}
        assert (await oa(tmp_path, "approve", **signed_in))[1] == f"{WORKER} asks for nothing.\n"
    assert [asked["params"]["decision"] for asked in edge.asked[:3]] == ["accept", "deny", "accept_for_thread"]


async def test_an_interrupt_says_whether_there_was_a_turn(tmp_path: Path) -> None:
    edge = DaemonsEdge(busy={"thread_id": "t1", "turn_id": "u1"})
    async with serving(edge, free_port()) as url:
        await a_worker(edge)
        assert (await oa(tmp_path, "interrupt", OA_URL=url, OA_TOKEN=TOKEN))[1] == f"Interrupted {WORKER}.\n"
        edge.told = {}
        assert (await oa(tmp_path, "interrupt", OA_URL=url, OA_TOKEN=TOKEN))[1] == f"{WORKER} is at no turn.\n"


async def test_tail_prints_each_event_as_a_line_of_json(tmp_path: Path) -> None:
    edge = FakeEdge()
    async with serving(edge, free_port()) as url:
        await a_worker(edge)
        process = await start(tmp_path, "tail", "--json", "--after", "0", OA_URL=url, OA_TOKEN=TOKEN)
        assert process.stdout is not None
        lines = [json.loads(await process.stdout.readline())]
        await edge.append("worker.event", {"text": "zwei\u2028Zeilen"})
        lines.append(json.loads(await process.stdout.readline()))
        process.terminate()
        await process.communicate()
    assert [(line["seq"], line["eventType"]) for line in lines] == [(1, "worker.started"), (2, "worker.event")]
    assert lines[1]["payload"] == {"text": "zwei\u2028Zeilen"}


async def test_the_stack_s_own_token_is_used_from_its_folder(tmp_path: Path) -> None:
    edge = FakeEdge()
    async with serving(edge, free_port()) as url:
        await a_worker(edge)
        (tmp_path / ".oa").mkdir()
        (tmp_path / ".oa" / "secrets.env").write_text(f"# made by oa up\nOA_URL={url}\nOA_LOCAL_TOKEN={TOKEN}\n")
        assert (await oa(tmp_path, "say", "hello", "--worker", WORKER))[0] == 0


@pytest.mark.parametrize(
    ("token", "worker", "advice"),
    [("", WORKER, "oa login"), ("wrong", WORKER, "oa login"), (TOKEN, "desktopw:other", "oa worker")],
)
async def test_errors_say_what_to_do_next(tmp_path: Path, token: str, worker: str, advice: str) -> None:
    edge = FakeEdge()
    async with serving(edge, free_port()) as url:
        await a_worker(edge)
        status, _, complained = await oa(tmp_path, "say", "x", "--worker", worker, "--url", url, "--token", token)
    assert (status, advice in complained) == (1, True)


async def test_an_edge_that_is_not_there_is_told_as_such(tmp_path: Path) -> None:
    url = "http://127.0.0.1:1"
    status, _, complained = await oa(tmp_path, "tail", "--worker", WORKER, "--url", url, "--token", TOKEN)
    assert (status, "oa up" in complained) == (1, True)


@pytest.fixture
def known(tmp_path: Path) -> Places:
    places = Places(tmp_path / "secrets.env", tmp_path / "login.json")
    places.stack_secrets.write_text("OA_URL=http://stack\nOA_LOCAL_TOKEN=stack-token\n")
    save_login(places.login, Connection("http://edge", "login-token"))
    return places


@pytest.mark.parametrize(
    ("url", "token", "resolved"),
    [
        (None, None, Connection("http://stack", "stack-token")),
        ("http://edge/", None, Connection("http://edge", "login-token")),
        ("http://edge", "given", Connection("http://edge", "given")),
        (None, "given", Connection("http://stack", "given")),
    ],
)
def test_what_is_given_wins_over_the_stack_and_the_stack_over_the_login(
    known: Places, url: str | None, token: str | None, resolved: Connection
) -> None:
    assert resolve(url, token, known) == resolved


def test_a_kept_token_is_never_sent_to_another_address(known: Places) -> None:
    with pytest.raises(NotSignedIn, match="http://elsewhere"):
        resolve("http://elsewhere", None, known)


@pytest.mark.parametrize(
    ("payload", "shown"),
    [
        (
            {
                "method": "item/completed",
                "params": {"item": {"type": "commandExecution", "command": "ls", "aggregatedOutput": "a\nb\n"}},
            },
            "ls → a b",
        ),
        ({"method": "item/agentMessage/delta", "params": {"delta": "Good"}}, "Good"),
        ({"method": "item/completed", "params": {"item": {"content": [{"type": "text", "text": "hi"}]}}}, "hi"),
        ({"method": "turn/completed", "params": {"turn": {"status": "completed", "error": None}}}, "completed"),
        ({"method": "error", "params": {"error": {"message": "no model"}}}, "no model"),
        ({"method": "ios/handshake", "handshake_id": "5b0f"}, "5b0f"),
        ({"reason": "enough"}, "enough"),
        ({"request_id": "r1", "claim_id": "c1"}, "r1"),
        ({"busy": {"what": "turn"}}, "turn"),
        (
            {"approval_id": "a1", "choices": ["deny"], "command": "make", "cwd": "/desk"},
            "run: make in /desk → oa approve a1",
        ),
        (
            {"approval_id": "a1", "choices": [], "changes": [{"path": "a.py"}, {"path": "b.py", "diff": "+x"}]},
            "change a.py, b.py → oa approve a1",
        ),
        ({"approval_id": "a1", "decision": "deny", "cause": "silence"}, "deny a1 (silence)"),
        (
            {"outcome": "completed", "input_tokens": 90, "output_tokens": 10, "total_tokens": 100},
            "completed, 100 tokens (90 in, 10 out)",
        ),
        ({"params": {"delta": "x" * 500}}, "x" * 159 + "…"),
    ],
)
def test_a_line_shows_what_a_person_wants_to_read(payload: dict[str, object], shown: str) -> None:
    line = line_of(WorkerEvent(WORKER, 12, "worker.event", payload, "2026-02-25T06:13:20.123456Z")).plain
    assert line.startswith("    12 06:13:20.123 ")
    assert line.endswith(f" {shown}")
