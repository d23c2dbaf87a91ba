"""`oa schemas`: the schemas of the topics, whether they may be released, and their way into another registry."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from ops.commands.options import Data, screen, telling_errors
from ops.registries import Registry
from ops.settings import of_this_process
from schemas.registry import Registered, published

AsJson = Annotated[bool, typer.Option("--json", help="One JSON array.")]
Url = Annotated[str, typer.Argument(metavar="URL", help="The registry, as its clients name it.")]


def register(app: typer.Typer) -> None:
    schemas = typer.Typer(no_args_is_help=True, help="The schemas of the Kafka topics.")
    schemas.command("list")(list_schemas)
    schemas.command()(check)
    schemas.command()(push)
    app.add_typer(schemas, name="schemas")


def list_schemas(data: Data = None, as_json: AsJson = False) -> None:
    """Every schema that was ever released."""
    with telling_errors():
        entries = _published(data)
        if as_json:
            print(json.dumps([_object(entry) for entry in entries]))
        else:
            screen.print(_table(entries))


def check() -> None:
    """1 when the schemas are not what the protos say, have no id, or break readers of released ones."""
    from ops.checks import contracts

    raise typer.Exit(contracts.main())


def push(url: Url, data: Data = None) -> None:
    """Copy every released schema, with its id, into a Confluent registry at URL (or one that speaks like it)."""
    with telling_errors(), Registry(url) as registry:
        for entry, copied in registry.push(_published(data)):
            screen.print(f"{'copied' if copied else 'there '}  id {entry.id}  {entry.subject} version {entry.version}")


def _published(data: Path | None) -> Sequence[Registered]:
    return published(of_this_process(data).values.text("OA_KAFKA_TOPIC_PREFIX"))


def _object(entry: Registered) -> dict[str, str | int]:
    return {"id": entry.id, "subject": entry.subject, "version": entry.version, "type": "AVRO"}


def _table(entries: Sequence[Registered]) -> Table:
    table = Table("id", "subject", "version", "type")
    for entry in entries:
        table.add_row(*(str(value) for value in _object(entry).values()))
    return table
