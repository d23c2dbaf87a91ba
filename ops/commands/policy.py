"""`oa policy`: an owner's policy sets, and what they decided or would have (docs/policy.md)."""

import asyncio
import json
from typing import Annotated, Any

import typer
from rich.table import Table

from ops.commands.connection import connected
from ops.commands.options import Data, screen, telling_errors
from ops.commands.policy_decisions import AsJson, File, Owner, checked, explain, read, simulate
from ops.settings import Settings, of_this_process
from ops.stack.processes import StackError
from producers import policies, policy_history
from producers.errors import LogUnavailable, Rejection
from producers.eventlog.commands import Item, Outcome
from producers.eventlog.log import EventLog
from producers.policies import ActivatePolicy, Command, PolicySet, ProposePolicy, RetirePolicy, Version, document_hash
from schemas.events import Payload
from schemas.names import policy_stream
from schemas.times import iso6

Name = Annotated[str, typer.Argument(metavar="NAME", help="What the file calls itself.", show_default=False)]
SomeOwner = Annotated[str | None, typer.Option("--owner", metavar="O", help="Only of this owner.", show_default=False)]


def register(app: typer.Typer) -> None:
    commands = typer.Typer(no_args_is_help=True, help="What agents may do: rules, and what they decided.")
    for command in (check, propose, activate, retire, show, explain, simulate):
        commands.command()(command)
    commands.command("list")(list_sets)
    app.add_typer(commands, name="policy")


def check(file: File) -> None:
    """Say everything that is wrong with a file; 1 when something is."""
    with telling_errors():
        found = checked(read(file))
        says = f"{len(found.deny)} rules deny, {len(found.allow)} allow, the default is {found.default}"
        screen.print(f"{found.name}: {says}", markup=False)


def propose(file: File, owner: Owner, data: Data = None) -> None:
    """Write a file down as the newest version of its set; it does not count yet."""
    with telling_errors():
        [outcome] = _written(of_this_process(data), owner, file, activated=False)
        again = "was" if outcome.replayed or not outcome.events else "is"
        screen.print(f"{_newest(outcome.state)} {again} proposed; try it with `oa policy simulate`", markup=False)


def activate(file: File, owner: Owner, data: Data = None) -> None:
    """Let what a file says count from now on, and no older version of it."""
    with telling_errors():
        outcome = _written(of_this_process(data), owner, file, activated=True)[-1]
        again = "counts" if outcome.events else "counted already"
        screen.print(f"{_newest(outcome.state)} {again}", markup=False)


def retire(name: Name, owner: Owner, data: Data = None) -> None:
    """Let no version of a set count any more."""
    with telling_errors():
        asyncio.run(_execute(of_this_process(data), owner, name, [RetirePolicy()]))
        screen.print(f"{name} is retired", markup=False)


def list_sets(owner: SomeOwner = None, data: Data = None, as_json: AsJson = False) -> None:
    """Say which policy sets there are, and which version of them counts."""
    with telling_errors():
        found = asyncio.run(_sets(of_this_process(data), owner))
        if as_json:
            for each in found:
                print(json.dumps(_as_object(each)))
        else:
            screen.print(_table(found) if found else "there is no policy set")


def show(name: Name, owner: Owner, data: Data = None, as_json: AsJson = False) -> None:
    """Print the documents of a set: the one that counts, and the one that is proposed."""
    with telling_errors():
        found = [each for each in asyncio.run(_sets(of_this_process(data), owner)) if each.name == name]
        if not found:
            raise StackError(f"{owner} has no policy set {name!r}")
        told = _as_object(found[0]) | {
            "active_document": found[0].active and found[0].active.document,
            "proposed_document": found[0].proposed and found[0].proposed.document,
        }
        print(json.dumps(told, indent=None if as_json else 2, ensure_ascii=False))


def _written(settings: Settings, owner: str, file: Any, *, activated: bool) -> "list[Outcome[PolicySet]]":
    document = read(file)
    name = checked(document).name
    commands: list[Command] = [ProposePolicy(document)]
    if activated:
        commands.append(ActivatePolicy(document_hash(document)))
    return asyncio.run(_execute(settings, owner, name, commands))


async def _execute(settings: Settings, owner: str, name: str, commands: list[Command]) -> "list[Outcome[PolicySet]]":
    if not owner.startswith(("user:", "guest:")):
        raise StackError(f"not an owner: {owner!r}; write it as user:41 or guest:SCOPE")
    async with connected(settings) as pool:
        log = EventLog(pool, committers=1)
        try:
            items = [Item(command) for command in commands]
            return list(await log.execute(policies.DECIDER, policy_stream(owner, name), owner, items))
        except (Rejection, LogUnavailable) as error:
            raise StackError(str(error)) from error
        finally:
            await log.close()


async def _sets(settings: Settings, owner: str | None) -> list[PolicySet]:
    async with connected(settings) as pool:
        return (await policy_history.sets_of_owner(pool, owner))[1] if owner else await policy_history.every_set(pool)


def _newest(policy: PolicySet) -> str:
    newest = policy.proposed or policy.active
    return f"{policy.name} version {newest.number}" if newest else policy.name


def _number(version: Version | None) -> int | None:
    return version.number if version else None


def _as_object(policy: PolicySet) -> Payload:
    return {
        "owner": policy.owner,
        "name": policy.name,
        "active": _number(policy.active),
        "proposed": _number(policy.proposed),
        "updated_at": iso6(policy.updated_at),
    }


def _table(found: list[PolicySet]) -> Table:
    table = Table(*_as_object(found[0]))
    for each in found:
        table.add_row(*("–" if value is None else str(value) for value in _as_object(each).values()))
    return table
