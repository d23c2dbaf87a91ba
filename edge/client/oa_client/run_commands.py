"""`oa runs`: start a run, feed it, follow it, cancel it; for who holds the secret that services share."""

from contextlib import aclosing
from typing import Annotated

import msgspec
import typer

from oa_client.client import Client
from oa_client.options import DEFAULT_DATA, AsUser, Caller, Data, Secret, Service, Token, Url, err, out, serve
from oa_client.rendering import line_of_run
from oa_client.runs import Run

RunId = Annotated[str, typer.Argument(metavar="RUN", help="Id of the run.")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object a line.")]


def group() -> typer.Typer:
    runs = typer.Typer(no_args_is_help=True, help="Runs: executions that are fed with frames and followed.")
    runs.command("list")(list_runs)
    for command in (start, say, tail, cancel):
        runs.command()(command)
    return runs


def list_runs(
    thread: Annotated[str | None, typer.Option(help="Only those of this thread.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=200, help="At most so many.")] = 20,
    as_json: AsJson = False,
    url: Url = None,
    token: Token = None,
    secret: Secret = None,
    user: AsUser = None,
    data: Data = DEFAULT_DATA,
) -> None:
    """Your runs, the newest first."""
    serve(_list(Service(Caller(url, token, data), secret, user), thread, limit, as_json))


async def _list(service: Service, thread: str | None, limit: int, as_json: bool) -> None:
    async with service.client() as client:
        found = await client.runs.list(thread_id=thread, limit=limit)
    for one in found:
        if as_json:
            print(msgspec.json.encode(one).decode())
        else:
            out.print(f"{one.run_id}  {one.status:<9}  {one.latest_seq:>5} events  {one.updated_at}  {one.thread_id}")
    if not found and not as_json:
        out.print("No runs: `oa runs start TEXT` begins one.")


def start(
    text: Annotated[str | None, typer.Argument(help="What to tell it first.")] = None,
    run_id: Annotated[str | None, typer.Option("--run", help="Its id; without it a new one.")] = None,
    thread: Annotated[str | None, typer.Option(help="Its thread; without it a new one.")] = None,
    url: Url = None,
    token: Token = None,
    secret: Secret = None,
    user: AsUser = None,
    data: Data = DEFAULT_DATA,
) -> None:
    """Make a run and print its id; `oa runs tail` shows what it does."""
    serve(_start(Service(Caller(url, token, data), secret, user), text, run_id, thread))


async def _start(service: Service, text: str | None, run_id: str | None, thread: str | None) -> None:
    async with service.client() as client:
        started = client.runs.new(thread, run_id)
        await started.start()
        if text is not None:
            await started.say(text)
        out.print(started.run_id)


def say(
    run_id: RunId,
    text: Annotated[str | None, typer.Argument(help="What to tell it.")] = None,
    frame_type: Annotated[str, typer.Option("--type", help="What kind of frame: complete, fail …")] = "user_message",
    payload: Annotated[str | None, typer.Option(help="Its payload, a JSON object, instead of a text.")] = None,
    url: Url = None,
    token: Token = None,
    secret: Secret = None,
    user: AsUser = None,
    data: Data = DEFAULT_DATA,
) -> None:
    """Send a frame to a run: a text, or with --type anything else."""
    if text is not None and payload is not None:
        raise typer.BadParameter("TEXT and --payload exclude each other")
    content: dict[str, object] = {"text": text} if text is not None else _object(payload or "{}")
    serve(_say(Service(Caller(url, token, data), secret, user), run_id, frame_type, content))


def _object(text: str) -> dict[str, object]:
    try:
        return msgspec.json.decode(text, type=dict[str, object])
    except msgspec.DecodeError as error:
        raise typer.BadParameter(f"--payload takes a JSON object: {error}") from None


async def _say(service: Service, run_id: str, frame_type: str, payload: dict[str, object]) -> None:
    async with service.client() as client:
        sent = await (await client.runs.find(run_id)).frame(frame_type, payload)
        out.print(f"Sent to {run_id} as frame {sent.frame_id}.")


def tail(
    run_id: RunId,
    after: Annotated[int, typer.Option(min=0, help="Begin after this event.")] = 0,
    as_json: AsJson = False,
    url: Url = None,
    token: Token = None,
    secret: Secret = None,
    user: AsUser = None,
    data: Data = DEFAULT_DATA,
) -> None:
    """Show a run's events, and follow it until it is over."""
    serve(_tail(Service(Caller(url, token, data), secret, user), run_id, after, as_json))


async def _tail(service: Service, run_id: str, after: int, as_json: bool) -> None:
    async with service.client() as client:
        found = await client.runs.find(run_id)
        err.print(f"Following {run_id} of thread {found.thread_id}; Ctrl-C ends it.", style="dim")
        await _show(found, after, as_json)


async def _show(found: Run, after: int, as_json: bool) -> None:
    async with aclosing(found.events(after)) as events:
        async for event in events:
            if as_json:
                print(msgspec.json.encode(event).decode(), flush=True)
            else:
                out.print(line_of_run(event))


def cancel(
    run_id: RunId,
    reason: Annotated[str | None, typer.Option(help="Why.")] = None,
    url: Url = None,
    token: Token = None,
    secret: Secret = None,
    user: AsUser = None,
    data: Data = DEFAULT_DATA,
) -> None:
    """End a run; what it is at is ended too."""
    serve(_cancel(Service(Caller(url, token, data), secret, user), run_id, reason))


async def _cancel(service: Service, run_id: str, reason: str | None) -> None:
    async with service.client() as client:
        canceled = await _canceled(client, run_id, reason)
        out.print(canceled)


async def _canceled(client: Client, run_id: str, reason: str | None) -> str:
    done = await (await client.runs.find(run_id)).cancel(reason)
    return f"{run_id} is {done.status}{' already' if done.idempotent_replay else ''}."
