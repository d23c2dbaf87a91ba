"""What benches print: the output contract of DESIGN §10."""

import asyncio
import json
import os
from collections.abc import AsyncIterator
from contextlib import aclosing, suppress
from pathlib import Path
from typing import Any

import pytest
import typer
from oa_client.errors import CodexExited
from oa_client.worker.codex import Codex
from oa_client.workers import WorkerEvent

from ops.bench import app_server
from ops.bench.crowd import Counting, Crowd, Visitor
from ops.bench.figures import Figure, Run, beside, by_itself, percentile, show
from ops.bench.policy import allowing, denying
from ops.bench.worker import ways_of_deltas
from ops.commands import bench
from producers.policy_documents import document


def test_a_percentile_is_a_value_that_was_measured() -> None:
    assert percentile([3, 1, 2], 0.5) == 2
    assert percentile([5], 0.99) == 5
    assert percentile(range(100), 0.99) == 99


def test_the_ratio_is_the_median_of_the_rounds_and_not_the_ratio_of_the_medians() -> None:
    rounds = [(Run(10.0), Run(20.0)), (Run(30.0), Run(30.0)), (Run(20.0), Run(100.0))]
    figure = beside("append", "commands/s", rounds)
    assert (figure.ours, figure.peer, figure.ratio) == (20.0, 30.0, 0.5)


def test_latencies_are_taken_over_all_rounds() -> None:
    figure = by_itself("append", "commands/s", [Run(1.0, [1.0, 2.0]), Run(3.0, [9.0])])
    assert (figure.ours, figure.p50_ms, figure.p99_ms) == (2.0, 2.0, 9.0)
    assert by_itself("append", "commands/s", [Run(1.0)]).p50_ms is None


def test_json_has_peer_and_ratio_even_when_there_is_none(capsys: pytest.CaptureFixture[str]) -> None:
    case = Figure("100/s", 1.23456, "ms", None, None)
    show(Figure("live", 7.0, "ms", None, None, 7.0, 9.0, cases=[case]), as_json=True)
    told = json.loads(capsys.readouterr().out)
    assert told["peer"] is None
    assert told["ratio"] is None
    assert told["cases"] == [{"name": "100/s", "ours": 1.235, "unit": "ms", "peer": None, "ratio": None}]


def test_without_a_name_every_bench_is_listed_with_what_it_measures(capsys: pytest.CaptureFixture[str]) -> None:
    bench.bench()
    found = dict(line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines())
    assert found.keys() == set(bench.names())
    assert found["append"].startswith("the library's durable commands")


def test_an_unknown_name_is_told_what_there_is(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(typer.Exit):
        bench.bench("appendix")
    assert "append-http" in capsys.readouterr().err


@pytest.mark.parametrize("pieces", [[b"..mark..mark"], [b"..ma", b"rk..mark"], [b"..m", b"a", b"rk..mar", b"k"]])
async def test_markers_are_counted_once_however_the_bytes_are_cut(pieces: list[bytes]) -> None:
    socket = Counting(Crowd(port=1, visitors=[], ready=b"", marker=b"mark"), Visitor("/", b""))
    socket.is_ready.set_result(None)
    for piece in pieces:
        socket.data_received(piece)
    assert socket.count == 2


async def said_in_a_turn(codex: Codex) -> list[dict[str, Any]]:
    said = []
    with suppress(CodexExited):
        async with aclosing(codex.messages()) as messages:
            async for message in messages:
                said.append(message)
                if message["method"] == "turn/completed":
                    break
    return said


async def test_the_stand_in_for_codex_says_when_it_said_each_delta(tmp_path: Path) -> None:
    codex = await Codex.start(app_server.executable(tmp_path), cwd=tmp_path, environment=os.environ)
    try:
        listening = asyncio.create_task(said_in_a_turn(codex))
        await codex.initialize(version="0")
        thread = (await codex.request("thread/start", {}))["thread"]
        asked = {"threadId": thread["id"], "input": [{"type": "text", "text": "3 0"}]}
        turn = (await codex.request("turn/start", asked))["turn"]
        began, *deltas, completed = await listening
    finally:
        await codex.close()
    assert began["params"]["turn"]["id"] == completed["params"]["turn"]["id"] == turn["id"]
    sent = [delta["params"]["sentNs"] for delta in deltas]
    assert sent == sorted(sent)
    assert len(sent) == 3


async def test_the_way_of_a_delta_is_from_when_it_was_said_and_only_the_asked_turn_counts() -> None:
    async def events() -> AsyncIterator[WorkerEvent]:
        for seq, (method, params) in enumerate(
            [("turn/started", {}), ("item/agentMessage/delta", {"sentNs": 5}), ("turn/completed", {}), ("late", {})]
        ):
            yield WorkerEvent("w", seq, "worker.event", {"method": method, "params": params}, "now")

    [(sent, arrived)] = [way async for way in ways_of_deltas(events())]
    assert sent == 5
    assert arrived > sent


def test_there_are_two_hundred_rules_to_decide_by() -> None:
    rules = [*denying(), *allowing()]
    assert len(rules) == len({rule.written["rule"] for rule in rules}) == 200
    assert len(document({"name": "bench", "deny": [rule.written for rule in denying()]}).deny) == 150
