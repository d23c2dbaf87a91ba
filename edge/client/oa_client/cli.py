"""The command `oa`; other distributions add their commands through the entry-point group `oa.commands`."""

import sys
from collections.abc import Callable, Sequence
from contextlib import aclosing, suppress
from importlib.metadata import entry_points
from typing import Annotated

import msgspec
import typer
from rich.text import Text

from oa_client import budget_commands, run_commands
from oa_client.client import Client
from oa_client.connection import Connection, Places, address, save_login
from oa_client.errors import InvalidInput, Unauthorized
from oa_client.options import DEFAULT_DATA, Caller, Data, Token, Url, err, fail, out, places, run
from oa_client.remote import Decision, Mode, RemoteWorker
from oa_client.rendering import line_of, question
from oa_client.worker.group import group as worker
from oa_client.workers import Approval, preferred

SENT_FROM = "oa-cli"

WorkerId = Annotated[str | None, typer.Option("--worker", help="Worker id; without it the one a phone would pick.")]


def build(named: str = "") -> typer.Typer:
    """The application with its own commands and those of every installed `oa.commands` entry point.

    When one of its own is named, it does without the others: a daemon should not carry what an operator needs.
    """
    app = typer.Typer(
        name="oa",
        help="Agents that do work: run one, follow it, steer it.",
        no_args_is_help=True,
        pretty_exceptions_show_locals=False,
    )
    own = (login, logout, say, tail, approve, interrupt)
    for command in own:
        app.command()(command)
    app.add_typer(worker, name="worker")
    app.add_typer(run_commands.group(), name="runs")
    app.add_typer(budget_commands.group(), name="budgets")
    if named in ("worker", "budgets", *(command.__name__ for command in own)):
        return app
    for entry_point in sorted(entry_points(group="oa.commands"), key=lambda found: found.name):
        register: Callable[[typer.Typer], None] = entry_point.load()
        register(app)
    return app


def login(
    email: Annotated[str, typer.Option(prompt="E-mail", help="Where the code is sent.")],
    url: Url = None,
    data: Data = DEFAULT_DATA,
) -> None:
    """Sign in with a code sent by e-mail; the token is kept for the next commands."""
    run(_login(url, places(data), email))


async def _login(url: str | None, where: Places, email: str) -> None:
    async with Client(address(url, where)) as client:
        await client.request_code(email)
        try:
            signed_in = await client.verify(typer.prompt(f"Code sent to {email}"))
        except InvalidInput as refused:
            fail(f"{refused.message} `oa login` sends a new one.")
        save_login(where.login, Connection(client.url, signed_in.token))
        out.print(f"Signed in to {client.url} as {email}.")


def logout(data: Data = DEFAULT_DATA) -> None:
    """Forget the token of the last login, here and at the edge."""
    run(_logout(places(data)))


async def _logout(where: Places) -> None:
    if (login := where.last_login()) is None:
        out.print("Nobody is signed in.")
        return
    where.login.unlink()
    async with Client(login.url, login.token) as client:
        with suppress(Unauthorized):
            await client.revoke()
    out.print(f"Signed out of {login.url}.")


def say(
    text: Annotated[str, typer.Argument(help="What to tell the agent.")],
    worker_id: WorkerId = None,
    steer: Annotated[bool, typer.Option("--steer", help="Tell it to the turn that runs, without waiting.")] = False,
    thread: Annotated[str | None, typer.Option(help="Id of the thread; without it the worker's own.")] = None,
    url: Url = None,
    token: Token = None,
    data: Data = DEFAULT_DATA,
) -> None:
    """Send a message to a worker; `oa tail` shows what comes of it."""
    run(_say(Caller(url, token, data), worker_id, text, "steer" if steer else None, thread))


async def _say(caller: Caller, worker_id: str | None, text: str, mode: Mode | None, thread_id: str | None) -> None:
    async with caller.client() as client:
        worker = await _chosen(client, worker_id)
        sent = await worker.send(text, mode=mode, thread_id=thread_id, sent_from=SENT_FROM)
        out.print(f"Sent to {worker.worker_id} as event {sent.seq}.")


def interrupt(worker_id: WorkerId = None, url: Url = None, token: Token = None, data: Data = DEFAULT_DATA) -> None:
    """End the turn that a worker is at; what was sent after it comes next."""
    run(_interrupt(Caller(url, token, data), worker_id))


async def _interrupt(caller: Caller, worker_id: str | None) -> None:
    async with caller.client() as client:
        worker = await _chosen(client, worker_id)
        interrupted = await worker.interrupt()
        out.print(f"Interrupted {worker.worker_id}." if interrupted else f"{worker.worker_id} is at no turn.")


def approve(
    approval_id: Annotated[str | None, typer.Argument(metavar="[ID]", help="Without it they are listed.")] = None,
    deny: Annotated[bool, typer.Option("--deny", help="Say no.")] = False,
    thread: Annotated[bool, typer.Option("--thread", help="Say yes to its like too, for this thread.")] = False,
    worker_id: WorkerId = None,
    as_json: Annotated[bool, typer.Option("--json", help="The list, one JSON object a line.")] = False,
    url: Url = None,
    token: Token = None,
    data: Data = DEFAULT_DATA,
) -> None:
    """Allow what an agent asks before it acts, or see what it asks."""
    if deny and thread:
        raise typer.BadParameter("--deny and --thread exclude each other")
    decision: Decision = "deny" if deny else "accept_for_thread" if thread else "accept"
    run(_approve(Caller(url, token, data), worker_id, approval_id, decision, as_json))


async def _approve(
    caller: Caller, worker_id: str | None, approval_id: str | None, decision: Decision, as_json: bool
) -> None:
    async with caller.client() as client:
        worker = await _chosen(client, worker_id)
        if approval_id is not None:
            await worker.approve(approval_id, decision)
            out.print(f"{approval_id}: {decision}.")
            return
        _show(worker.worker_id, await worker.approvals(), as_json)


def _show(worker_id: str, approvals: Sequence[Approval], as_json: bool) -> None:
    for approval in approvals:
        if as_json:
            print(msgspec.json.encode(approval).decode())
            continue
        out.print(Text(f"{approval.approval_id}  {question(approval)}"))
        for change in approval.changes or ():
            out.print(Text(change.diff.rstrip(), style="dim"))
    if not as_json:
        out.print("`oa approve ID` allows it once." if approvals else f"{worker_id} asks for nothing.")


def tail(
    worker_id: WorkerId = None,
    after: Annotated[int | None, typer.Option(min=0, help="Begin after this event; without it, now.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
    url: Url = None,
    token: Token = None,
    data: Data = DEFAULT_DATA,
) -> None:
    """Follow a worker's events as they come, until interrupted."""
    run(_tail(Caller(url, token, data), worker_id, after, as_json))


async def _tail(caller: Caller, worker_id: str | None, after: int | None, as_json: bool) -> None:
    async with caller.client() as client:
        worker = await _chosen(client, worker_id)
        err.print(f"Following {worker.worker_id}; Ctrl-C ends it.", style="dim")
        async with aclosing(worker.events(after)) as events:
            async for event in events:
                if as_json:
                    print(msgspec.json.encode(event).decode(), flush=True)
                else:
                    out.print(line_of(event))


async def _chosen(client: Client, worker_id: str | None) -> RemoteWorker:
    if worker_id is None:
        best = preferred(await client.list_workers())
        worker_id = best.worker_id if best else fail("this account has no worker: start one with `oa worker`")
    return client.workers[worker_id]


def main() -> None:
    build(*sys.argv[1:2])()
