"""The command `oa`: login, say, tail, worker; other distributions add theirs through the group `oa.commands`."""

import uuid
from collections.abc import Callable
from contextlib import aclosing
from datetime import UTC, datetime
from importlib.metadata import entry_points
from typing import Annotated

import msgspec
import typer

from oa_client.client import Client
from oa_client.connection import Connection, Places, address, save_login
from oa_client.options import DEFAULT_DATA, Caller, Data, Token, Url, err, fail, out, places, run
from oa_client.rendering import line_of
from oa_client.worker.command import worker
from oa_client.workers import Payload, preferred

SENT_FROM = "oa-cli"

WorkerId = Annotated[str | None, typer.Option("--worker", help="Worker id; without it the one a phone would pick.")]


def build() -> typer.Typer:
    """The application with its own commands and those of every installed `oa.commands` entry point."""
    app = typer.Typer(
        name="oa",
        help="Agents that do work: run one, follow it, steer it.",
        no_args_is_help=True,
        pretty_exceptions_show_locals=False,
    )
    for command in (login, say, tail, worker):
        app.command()(command)
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
        signed_in = await client.verify(typer.prompt(f"Code sent to {email}"))
        save_login(where.login, Connection(client.url, signed_in.token))
        out.print(f"Signed in to {client.url} as {email}.")


def say(
    text: Annotated[str, typer.Argument(help="What to tell the agent.")],
    worker_id: WorkerId = None,
    url: Url = None,
    token: Token = None,
    data: Data = DEFAULT_DATA,
) -> None:
    """Send a message to a worker; `oa tail` shows what comes of it."""
    run(_say(Caller(url, token, data), worker_id, user_message(text, uuid.uuid4(), datetime.now(UTC))))


async def _say(caller: Caller, worker_id: str | None, message: Payload) -> None:
    async with caller.client() as client:
        chosen = worker_id or await _preferred(client)
        posted = await client.post_event(chosen, "worker.event", message)
        out.print(f"Sent to {chosen} as event {posted.seq}.")


def user_message(text: str, identity: uuid.UUID, now: datetime) -> Payload:
    """A message as phones write it (edge §2.12)."""
    message_id = f"oamsg-{identity}"
    return {
        "source": SENT_FROM,
        "method": "ios/user_message",
        "message_id": message_id,
        "occurred_at": now.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "params": {"message_id": message_id, "text": text, "sent_from": SENT_FROM},
    }


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
        chosen = worker_id or await _preferred(client)
        err.print(f"Following {chosen}; Ctrl-C ends it.", style="dim")
        async with aclosing(client.stream(chosen, after)) as events:
            async for event in events:
                if as_json:
                    print(msgspec.json.encode(event).decode(), flush=True)
                else:
                    out.print(line_of(event))


async def _preferred(client: Client) -> str:
    chosen = preferred(await client.list_workers())
    return chosen.worker_id if chosen else fail("this account has no worker: start one with `oa worker`")


def main() -> None:
    build()()
