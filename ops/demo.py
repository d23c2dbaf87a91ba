"""`make demo`: a stack of its own, a phone that signs in, and a real Codex that answers it (edge §2.12)."""

import asyncio
import os
import secrets
import shutil
import string
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import aclosing, contextmanager
from datetime import UTC, datetime
from pathlib import Path

import httpx
from oa_client.client import Client
from oa_client.errors import OaError
from oa_client.rendering import line_of
from oa_client.sync import WORKER_EVENTS, Update, follow
from oa_client.workers import Payload, WorkerEvent, preferred
from rich.console import Console
from rich.table import Table

from ops.stack import ports
from ops.stack.processes import StackError

PHONE = "autopilot-ios"
PORTS = 8
"""How many neighbouring ports a stack takes."""

_FIRST_PORT, _LAST_PORT = 28_000, 29_000
_NOT_HANDED_ON = ("OA_", "APP_URL", "CODEX_HOME")
_HANDSHAKE_WITHIN_S = 30.0
_ANSWER_WITHIN_S = 60.0


class DemoFailed(Exception):
    """What the demonstration wanted to show did not happen; the message says what."""


class Recording:
    """What arrives on the phone's socket, printed and kept."""

    def __init__(self, console: Console) -> None:
        self.updates: list[Update] = []
        self._console = console
        self._grown = asyncio.Condition()

    @property
    def events(self) -> list[WorkerEvent]:
        return [update.worker_event() for update in self.updates]

    async def follow(self, client: Client) -> None:
        async with aclosing(follow(client, [WORKER_EVENTS])) as updates:
            async for update in updates:
                self._console.print(line_of(update.worker_event()))
                async with self._grown:
                    self.updates.append(update)
                    self._grown.notify_all()

    async def first(self, wanted: Callable[[WorkerEvent], bool], within_s: float, what: str) -> WorkerEvent:
        try:
            async with asyncio.timeout(within_s), self._grown:
                await self._grown.wait_for(lambda: any(map(wanted, self.events)))
        except TimeoutError:
            raise DemoFailed(f"no {what} within {within_s:g} s") from None
        return next(filter(wanted, self.events))


def play() -> None:
    """Plays everything once and removes what it started; raises DemoFailed."""
    console = Console(highlight=False, soft_wrap=True)
    timings = Timings()
    folder = Path(tempfile.mkdtemp(prefix="oa-demo-"))
    try:
        with stack(folder, console, timings) as url:
            asyncio.run(_talk(url, folder, console, timings))
    except (OaError, httpx.HTTPError, StackError) as error:
        raise DemoFailed(str(error)) from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    console.print(timings.table())


class Timings:
    """Steps and when each was done, in seconds since the start."""

    def __init__(self) -> None:
        self._begin = time.monotonic()
        self._steps: list[tuple[str, float]] = []

    def done(self, step: str) -> None:
        self._steps.append((step, time.monotonic() - self._begin))

    def table(self) -> Table:
        table = Table("step", "took (s)", "since start (s)")
        before = 0.0
        for step, at in self._steps:
            table.add_row(step, f"{at - before:.2f}", f"{at:.2f}")
            before = at
        return table


@contextmanager
def stack(folder: Path, console: Console, timings: Timings) -> Iterator[str]:
    """A local stack with a worker on the stub model, in `folder`; its address."""
    port = ports.free_block(_FIRST_PORT, _LAST_PORT, PORTS)
    variables = {name: value for name, value in os.environ.items() if not name.startswith(_NOT_HANDED_ON)}
    variables["CODEX_HOME"] = str(folder / "no-account")
    data = folder / "data"
    console.print(f"Starting a stack of its own at port {port} …")
    try:
        _oa(variables, folder, "up", "--detach", "--worker", "--data", str(data), "--port", str(port))
        timings.done("stack ready")
        yield f"http://127.0.0.1:{port}"
    finally:
        _oa(variables, folder, "down", "--data", str(data))


def _oa(variables: Mapping[str, str], folder: Path, *arguments: str) -> None:
    command = [str(Path(sys.executable).with_name("oa")), *arguments]
    ended = subprocess.run(command, cwd=folder, env=variables, capture_output=True, text=True, check=False)
    if ended.returncode:
        raise DemoFailed(f"`oa {arguments[0]}` ended with {ended.returncode}:\n{ended.stdout}{ended.stderr}".rstrip())


async def _talk(url: str, folder: Path, console: Console, timings: Timings) -> None:
    async with Client(url, x_client=PHONE) as phone:
        await sign_in(phone, os.environ.get("OA_LOCAL_EMAIL", "you@example.test"))
        worker = preferred(await phone.list_workers())
        if worker is None:
            raise DemoFailed("the account has no worker")
        timings.done("signed in, worker found")
        recording = Recording(console)
        nonce = Nonce.hidden_in(folder)
        following = asyncio.create_task(recording.follow(phone))
        talking = asyncio.create_task(_converse(phone, worker.worker_id, nonce, recording, timings))
        ended, others = await asyncio.wait({following, talking}, return_when=asyncio.FIRST_COMPLETED)
        for other in others:
            other.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        ended.pop().result()
    check_order(recording.updates)
    console.print(f"[green]{len(recording.updates)} events, in order, without a gap; the nonce came back.[/green]")


async def sign_in(phone: Client, address: str) -> None:
    """As somebody does who can read the local stack's mail."""
    await phone.request_code(address)
    async with httpx.AsyncClient(base_url=phone.url, headers={"Accept": "application/json"}) as http:
        mails = (await http.get("/dev/mailbox", params={"to": address})).raise_for_status().json()["data"]
    if not mails:
        raise DemoFailed(f"no mail for {address} in the mailbox")
    await phone.verify(mails[0]["code"])


class Nonce:
    """Sixteen letters in a file, known to nobody else until a command prints the file."""

    def __init__(self, path: Path, letters: str) -> None:
        self.path = path
        self.letters = letters

    @classmethod
    def hidden_in(cls, folder: Path) -> "Nonce":
        nonce = cls(folder / "nonce.txt", "".join(secrets.choice(string.ascii_letters) for _ in range(16)))
        nonce.path.write_text(nonce.letters + "\n", encoding="utf-8")
        return nonce

    def is_in(self, event: WorkerEvent) -> bool:
        """Whether Codex's answer, not only a command's echo, carries the letters."""
        match event.payload.get("params"):
            case {"item": {"type": "agentMessage", "text": str(text)}}:
                return self.letters in text
        return False


async def _converse(phone: Client, worker_id: str, nonce: Nonce, recording: Recording, timings: Timings) -> None:
    handshake_id = str(uuid.uuid4())
    await phone.post_event(worker_id, "worker.event", _handshake(handshake_id))
    acknowledges = _is_acknowledgement(handshake_id)
    await recording.first(acknowledges, _HANDSHAKE_WITHIN_S, "acknowledgement of the handshake")
    timings.done("handshake acknowledged")
    asked = await phone.post_event(worker_id, "worker.event", _message(f"run: cat {nonce.path}"))
    timings.done("message accepted")
    await recording.first(nonce.is_in, _ANSWER_WITHIN_S, "answer with the nonce")
    timings.done("answer with the nonce")
    await recording.first(lambda event: _ends_turn(event, asked.seq), _ANSWER_WITHIN_S, "end of the turn")
    timings.done("turn completed")


def _handshake(handshake_id: str) -> Payload:
    return {
        "source": PHONE,
        "method": "ios/handshake",
        "handshake_id": handshake_id,
        "device_id": f"demo-{uuid.uuid4()}",
        "occurred_at": _now(),
    }


def _message(text: str) -> Payload:
    message_id = f"iosmsg-{uuid.uuid4()}"
    return {
        "source": PHONE,
        "method": "ios/user_message",
        "message_id": message_id,
        "occurred_at": _now(),
        "params": {"message_id": message_id, "text": text, "sent_from": PHONE},
    }


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _is_acknowledgement(handshake_id: str) -> Callable[[WorkerEvent], bool]:
    """The rule of a phone: matching id, and who and when not blank (edge §2.12, step 10)."""

    def is_acknowledgement(event: WorkerEvent) -> bool:
        payload = event.payload
        return (
            payload.get("method") == "desktop/handshake_ack"
            and payload.get("handshake_id") == handshake_id
            and bool(payload.get("desktop_session_id") and payload.get("occurred_at"))
        )

    return is_acknowledgement


def _ends_turn(event: WorkerEvent, after: int) -> bool:
    return event.seq > after and event.payload.get("method") == "turn/completed"


def check_order(updates: list[Update]) -> None:
    """Watermarks ascend; each worker's seqs follow each other without a gap. Raises DemoFailed."""
    watermarks = [update.watermark for update in updates]
    if watermarks != sorted(set(watermarks)):
        raise DemoFailed(f"watermarks out of order: {watermarks}")
    latest: dict[str, int] = {}
    for event in (update.worker_event() for update in updates):
        if event.seq != latest.get(event.worker_id, event.seq - 1) + 1:
            raise DemoFailed(f"{event.worker_id}: event {event.seq} came after {latest[event.worker_id]}")
        latest[event.worker_id] = event.seq


def main() -> None:
    try:
        play()
    except DemoFailed as error:
        Console(stderr=True, highlight=False).print(f"demo: {error}", style="red", markup=False)
        sys.exit(1)


if __name__ == "__main__":
    main()
