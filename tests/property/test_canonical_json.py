"""Canonical JSON keeps the value and forgets the order of keys."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from schemas import canonical_json

TEXT = st.text(st.characters(exclude_categories=["Cs"]))
SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(TEXT, inner), max_leaves=20)


@given(VALUES)
def test_decoding_gives_the_value_back(value: Any) -> None:
    encoded = canonical_json.encode(value)
    assert json.loads(encoded) == value
    assert canonical_json.encode(canonical_json.decode(encoded)) == encoded


@given(st.dictionaries(TEXT, VALUES))
def test_the_order_of_keys_does_not_matter(value: dict[str, Any]) -> None:
    assert canonical_json.encode(dict(reversed(value.items()))) == canonical_json.encode(value)


@given(st.dictionaries(TEXT, TEXT))
def test_keys_are_in_the_order_of_their_utf8_bytes(value: dict[str, str]) -> None:
    keys = list(json.loads(canonical_json.encode(value)))
    assert keys == sorted(keys, key=str.encode)
