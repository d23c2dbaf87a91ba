"""`oa audit`: proves that log, topics, read models and journal say the same, while everything runs."""

import asyncio
import time
from collections import Counter
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from ops.commands.options import Data, screen, telling_errors
from ops.database import open_pool
from ops.settings import Settings, of_this_process
from ops.stack.processes import StackError

if TYPE_CHECKING:
    from processors.audit.audit import Report

RECENT = 10_000

Since = Annotated[int | None, typer.Option("--since", metavar="POSITION", help="What is above it.", show_default=False)]
Recent = Annotated[int, typer.Option("--recent", metavar="N", help="The last N positions.")]
Everything = Annotated[bool, typer.Option("--all", help="The whole log, and every stream folded from its beginning.")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object.")]


def register(app: typer.Typer) -> None:
    app.command()(audit)


def audit(
    data: Data = None,
    since: Since = None,
    recent: Recent = RECENT,
    everything: Everything = False,
    as_json: AsJson = False,
) -> None:
    """Compare them over a range of positions; 1 when they differ."""
    with telling_errors():
        started = time.monotonic()
        report = asyncio.run(_audited(of_this_process(data), 0 if everything else since, recent))
        if as_json:
            print(msgspec.json.encode(report).decode())
        else:
            for line in _lines(report, time.monotonic() - started):
                screen.print(line, markup=False, soft_wrap=True)
        if report.differences:
            raise typer.Exit(1)


async def _audited(settings: Settings, since: int | None, recent: int) -> "Report":
    """Also kept for `oa status` and the metrics."""
    from aiokafka.errors import KafkaError

    from ops.serving.processors import processor_settings
    from processors.audit import last
    from processors.audit.audit import Audit
    from processors.audit.topics import audited
    from producers.relay.topics import partitions_of
    from schemas import names

    ours = processor_settings(settings)
    async with open_pool(settings.database.url, 2) as pool:
        try:
            prefix = ours.topic_prefix
            found = await partitions_of(ours.brokers, [prefix + topic for topic in names.TOPICS])
            if not found:
                raise StackError("there is no topic yet: the relay makes them")
            partitions = Counter(one.topic.removeprefix(prefix) for one in found)
            work = Audit(pool, ours.brokers, audited(prefix, ours.generation, partitions))
            report = await (work.recent(recent) if since is None else work.run(since))
        except KafkaError as error:
            raise StackError(f"Kafka does not answer: {error!r}") from error
        await last.record(pool, report)
    return report


def _lines(report: "Report", took_s: float) -> list[str]:
    lines = [
        f"positions {report.after + 1} to {report.up_to}: {report.events} events, {report.records} records,"
        f" {report.documents} documents in {took_s:.1f} s"
    ]
    if report.behind:
        lines.append(f"{report.behind} positions after that are not relayed or not projected yet")
    if report.unfolded:
        lines.append(f"{report.unfolded} long streams were not folded: --all does")
    if not report.differences:
        return [*lines, "log, topics, read models and journal agree"]
    more = report.differences - len(report.first)
    return [*lines, *report.first, *([f"and {more} more differences"] if more else [])]
