"""What benches print: the output contract of DESIGN §10."""

import json

import pytest
import typer

from ops.bench.crowd import Counting, Crowd, Visitor
from ops.bench.figures import Figure, Run, beside, by_itself, percentile, show
from ops.commands import bench


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
