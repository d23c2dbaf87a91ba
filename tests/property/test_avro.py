"""Every payload survives Kafka byte for byte, whatever its type says it should be (DESIGN I4)."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas import avro, canonical_json, hashing
from schemas.events import Payload, Recorded
from schemas.workers import WorkerRequestReceived, WorkerResponse, WorkerStarted, WorkerStopped

KNOWN = (WorkerStarted, WorkerRequestReceived, WorkerResponse, WorkerStopped)
FIELDS = sorted({name for known in KNOWN for name in known.__struct_fields__})
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT
JSON = st.recursive(SCALARS, lambda deeper: st.lists(deeper) | st.dictionaries(TEXT, deeper), max_leaves=12)
TYPES = st.sampled_from([known.type for known in KNOWN] + ["worker.event", "worker.error"])


@st.composite
def near_known(draw: Any) -> Payload:
    """Payloads that have the fields of a known type, or nearly, with values that are right, or nearly."""
    known = draw(st.sampled_from(KNOWN))
    names = draw(st.sets(st.sampled_from(FIELDS), max_size=1)) ^ set(known.__struct_fields__)
    return {name: draw(TEXT | st.none() | st.dictionaries(TEXT, JSON, max_size=3) | JSON) for name in sorted(names)}


@pytest.mark.invariant("I4")
@given(TYPES, near_known() | st.dictionaries(TEXT, JSON), st.integers(1, 2), st.integers(1, 2**62), st.datetimes())
def test_what_is_decoded_is_what_was_encoded(
    event_type: str, payload: Payload, version: int, position: int, recorded_at: datetime
) -> None:
    event = Recorded(
        position,
        "worker",
        "worker/user:41/w",
        position,
        event_type,
        version,
        "user:41",
        payload,
        hashing.digest(payload),
        {"traceparent": "00-1"},
        recorded_at.replace(tzinfo=UTC),
    )
    decoded = avro.decode(avro.encode(event), event.headers)
    assert canonical_json.encode(decoded.payload) == canonical_json.encode(payload)
    assert hashing.digest(decoded.payload) == decoded.digest
    assert decoded == event
