"""Canonical JSON and its hashes against the contracts' vectors (runtime §0.4, DEC-34; sync §14.4)."""

import json
from pathlib import Path
from typing import Any

import pytest

from schemas import canonical_json, hashing

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "payload_hash_vectors.json").read_text())["vectors"]


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["name"])
def test_shared_vectors(vector: dict[str, Any]) -> None:
    assert canonical_json.encode(vector["payload"]).decode() == vector["canonical_json"]
    assert "sha256:" + hashing.hex_digest(vector["payload"]) == vector["sha256"]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"b": 2, "a": [1, True, None]}, "d5138eba6545bfd591d7ac0cd424287d99ea070d60c623eabee2fc82697500bd"),
        ({"z": {"k2": "é", "k1": "a\nb"}, "n": -5}, "16e359b8759b546d5e4993d128b34372d6058adf0504abdf6ef1d729df75245e"),
        ({}, "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"),
    ],
)
def test_the_hash_function_of_the_runtime(value: Any, expected: str) -> None:
    assert hashing.hex_digest(value) == expected


def test_the_hash_of_the_sample_update_on_the_wire() -> None:
    payload = {"source": "autopilot-desktop", "method": "turn/started", "params": {"turnId": "t9"}}
    at = "2026-02-20T12:00:03.104233Z"
    document = {
        "workerId": "desktopw:demo",
        "worker_id": "desktopw:demo",
        "seq": 12,
        "eventType": "worker.event",
        "event_type": "worker.event",
        "payload": payload,
        "occurredAt": at,
        "occurred_at": at,
    }
    assert hashing.wire_digest(document) == "keuBDz6OIRPcGeWdw4XP0W9+mPIekqEY/E3RB18iIps="


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ('\x00\x1f\x7f\u2028/é"\\\b\t\n\f\r', '"\\u0000\\u001F\x7f\u2028/é\\"\\\\\\b\\t\\n\\f\\r"'),
        ({"\U0001f600": 1, "\uffff": 2, "a": 0}, '{"a":0,"\uffff":2,"\U0001f600":1}'),
        ([1.5, 0.1, 100.0, 1000.0, 1e22, -0.0, 0.0001, 0.00001], "[1.5,0.1,100.0,1.0e3,1.0e22,-0.0,0.0001,1.0e-5]"),
        ([2.0**53, 123456.0, 10**30, -5], "[9.007199254740992e15,123456.0,1000000000000000000000000000000,-5]"),
        (1e22, "1.0e22"),
        ([[1, 2.0]], "[[1,2.0]]"),
        ({"at": "12:00:03.104", "n": {"x": 2.50}}, '{"at":"12:00:03.104","n":{"x":2.5}}'),
    ],
)
def test_escapes_order_and_numbers(value: Any, text: str) -> None:
    assert canonical_json.encode(value).decode() == text


@pytest.mark.parametrize("value", [{"x": float("nan")}, [None, float("inf")], "\ud800"])
def test_what_is_not_json_is_refused(value: Any) -> None:
    with pytest.raises(ValueError, match=r"JSON|surrogate"):
        canonical_json.encode(value)
