"""`oa log stats|show|export`: what scripts and people read of the log is the log."""

import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from pyarrow import parquet

from ops import exports
from ops.exports import ExportRefused, as_object
from producers.eventlog.scan import Filter, scan
from producers.eventlog.statistics import Share, statistics
from schemas.events import Recorded
from schemas.times import iso6
from tests.worker_events import NOON, STARTED, Log, commit, heartbeat

Pool = asyncpg.Pool
Oa = Callable[..., "subprocess.CompletedProcess[str]"]
AWKWARD = {"text": 'a\n\u2028b\x7f"\\', "number": 1.5, "big": 2**60, "nested": {"b": [None, True], "a": []}}


@pytest.fixture
def database(own_database: str) -> str:
    return own_database


@pytest.fixture
async def log(pool: "Pool[Any]") -> Log:
    """300 positions of two owners; those of a run lie between."""
    log = Log()
    for number in range(150):
        event = STARTED if number < 4 else heartbeat({"n": number} | (AWKWARD if number == 70 else {}))
        log.append(f"w{number % 4}", event, owner=f"user:{number % 2}")
        log.append("r", heartbeat(), kind="run")
    await commit(pool, log.events)
    return log


@pytest.fixture
def oa(database: str) -> Oa:
    def run(*words: str) -> "subprocess.CompletedProcess[str]":
        kept = {name: value for name, value in os.environ.items() if not name.startswith("OA_")}
        command = [sys.executable, "-m", "ops.commands", "log", *words]
        environment = kept | {"OA_DATABASE_URL": database}
        return subprocess.run(command, capture_output=True, text=True, timeout=100, env=environment, check=False)

    return run


def objects(events: Sequence[Recorded]) -> list[Any]:
    return list(json.loads(json.dumps([as_object(event) for event in events])))


def read_lines(path: Path) -> list[Any]:
    return [json.loads(line) for line in path.read_bytes().splitlines()]


def read_parquet(path: Path) -> list[Any]:
    rows = parquet.read_table(path).to_pylist()
    return [
        row
        | {"payload": json.loads(row["payload"]), "headers": json.loads(row["headers"])}
        | {"recorded_at": iso6(row["recorded_at"]), "digest": row["digest"].hex()}
        for row in rows
    ]


@pytest.mark.parametrize(("suffix", "read"), [("jsonl", read_lines), ("parquet", read_parquet)])
def test_an_exported_range_read_back_is_the_log(oa: Oa, log: Log, tmp_path: Path, suffix: str, read: Any) -> None:
    file = tmp_path / f"events.{suffix}"
    answer = oa("export", str(file), "--after", "50", "--up-to", "250")
    assert answer.returncode == 0, answer.stderr
    assert "200 events" in answer.stdout
    assert read(file) == objects(log.events[50:250])
    assert list(tmp_path.iterdir()) == [file]


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        (("--owner", "user:1"), lambda event: event.owner == "user:1"),
        (("--type", "worker.started", "--kind", "worker"), lambda event: event.type == "worker.started"),
        (("--stream", "worker/user:0/w2"), lambda event: event.stream == "worker/user:0/w2"),
        (
            ("--since", iso6(NOON + timedelta(seconds=20)), "--before", iso6(NOON + timedelta(seconds=40))),
            lambda event: 20 <= event.position < 40,
        ),
    ],
)
def test_an_export_has_what_was_asked_for_and_nothing_else(
    oa: Oa, log: Log, tmp_path: Path, words: tuple[str, ...], wanted: Callable[[Recorded], bool]
) -> None:
    assert oa("export", str(tmp_path / "some.jsonl"), *words).returncode == 0
    chosen = [event for event in log.events if wanted(event)]
    assert 0 < len(chosen) < len(log.events)
    assert read_lines(tmp_path / "some.jsonl") == objects(chosen)


def test_what_cannot_be_exported_is_told(oa: Oa, log: Log, tmp_path: Path) -> None:
    assert "must end with .jsonl or .parquet" in oa("export", str(tmp_path / "events.csv")).stderr
    assert "cannot be written" in oa("export", str(tmp_path / "nowhere" / "events.jsonl")).stderr
    assert "not a time: 'noon'" in oa("export", str(tmp_path / "events.jsonl"), "--since", "noon").stderr


@pytest.mark.parametrize("suffix", ["jsonl", "parquet"])
async def test_a_file_appears_only_when_it_is_complete(log: Log, tmp_path: Path, suffix: str) -> None:
    async def pages() -> AsyncIterator[Sequence[Recorded]]:
        yield log.events[:10]
        raise ExportRefused("the log went away")

    file = tmp_path / f"events.{suffix}"
    file.write_text("before")
    with pytest.raises(ExportRefused):
        await exports.export(pages(), file)
    assert file.read_text() == "before"
    assert os.listdir(tmp_path) == [file.name]


async def test_pages_are_shorter_where_payloads_are_large(pool: "Pool[Any]") -> None:
    log = Log()
    for number in range(600):
        log.append("w", heartbeat({"text": "x" * (100_000 if number > 300 else 10)}))
    await commit(pool, log.events)
    pages = [page async for page in scan(pool, 0, 600, Filter())]
    assert [event for page in pages for event in page.events] == log.events
    assert pages[-1].through == 600
    assert len(pages[0].events) > 300
    assert max(sum(len(event.payload["text"]) for event in page.events) for page in pages) < 2_300_000


def test_show_prints_a_position_or_the_last_ones_of_something(oa: Oa, log: Log) -> None:
    assert json.loads(oa("show", "141").stdout) == objects(log.events[140:141])[0]
    shown = oa("show", "--stream", "worker/user:1/w3", "--limit", "2", "--json").stdout.splitlines()
    of_stream = [event for event in log.events if event.stream == "worker/user:1/w3"]
    assert [json.loads(line) for line in shown] == objects(of_stream[-2:])
    assert "no event at position 9999" in oa("show", "9999").stderr


def test_stats_tell_ends_sizes_and_composition(oa: Oa, log: Log) -> None:
    told = json.loads(oa("stats", "--json").stdout)
    assert (told["first_position"], told["head"], told["epoch"], told["estimated"]) == (1, 300, 1, False)
    assert {share["name"]: share["events"] for share in told["kinds"]} == {"worker": 150, "run": 150}
    assert {share["name"]: share["events"] for share in told["owners"]} == {"user:41": 150, "user:0": 75, "user:1": 75}
    assert told["table_bytes"] > 0
    table = oa("stats").stdout
    assert "1–300, epoch 1" in table
    assert "worker.heartbeat" in table


def test_an_empty_log_has_stats_too(oa: Oa) -> None:
    assert json.loads(oa("stats", "--json").stdout)["kinds"] == []


async def test_a_long_log_is_sampled_and_scaled(pool: "Pool[Any]", log: Log) -> None:
    await pool.execute(
        "insert into events select position + 300, kind, stream, seq + 1000, type, version, owner, payload,"
        " digest, headers, recorded_at from events"
    )
    await pool.execute("analyze events")
    found = await statistics(pool, 1, sampled_events=60)
    assert found.estimated
    assert len(found.kinds) <= 1
    whole = await statistics(pool, 1, sampled_events=600)
    assert whole.kinds == [Share("run", 300, 600)]
