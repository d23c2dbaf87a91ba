"""Runs and leases that an earlier release wrote fold to what they were (DESIGN §4: `evolve` takes every version).

The file only grows: each line an event, in the log's order, and then what its stream's state was after them. Of
`run_erased` it has what an erasure left.
"""

from datetime import datetime
from pathlib import Path
from typing import Any

from producers import leases, runs
from producers.eventlog.commands import Decider
from schemas import canonical_json
from schemas.events import Recorded

GOLDEN = Path(__file__).parents[1] / "vectors/runs/golden.jsonl"
DECIDERS: dict[str, Decider[Any, Any]] = {decider.kind: decider for decider in (runs.DECIDER, leases.DECIDER)}


def recorded(line: dict[str, Any]) -> Recorded:
    moment, digest = datetime.fromisoformat(line["recorded_at"]), bytes.fromhex(line["digest"])
    return Recorded(**{**line, "digest": digest, "recorded_at": moment, "headers": {}})


def test_what_was_written_folds_to_what_it_was() -> None:
    """runtime §1.2, §1.4, §1.6; the head of the chain too"""
    states: dict[str, Any] = {}
    checked = []
    for text in GOLDEN.read_text(encoding="utf-8").splitlines():
        line = canonical_json.decode(text)
        if stream := line.get("state"):
            assert states[stream] == canonical_json.decode_as(
                canonical_json.in_given_order(line["is"]), DECIDERS[stream.split("/")[0]].state
            )
            checked.append(stream)
        else:
            event = recorded(line)
            states[event.stream] = DECIDERS[event.kind].evolve(states.get(event.stream), event)
    assert sorted(checked) == sorted(states)
    assert len(checked) == 12
