"""What one event may carry."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from oa_client.worker.bounds import MAX_BYTES, bounded, shortened


def test_what_fits_stays_the_same() -> None:
    value = {"text": "x" * 200_000}
    assert bounded(value) is value


def test_what_does_not_fit_says_so_and_how_large_it_was() -> None:
    value = {"id": "i1", "text": "x" * 300_000}
    cut = bounded(value)
    assert (cut["id"], cut["truncated"], cut["size_bytes"]) == ("i1", True, len(msgspec.json.encode(value)))
    assert cut["text"].endswith("… [291808 characters cut]")


def test_a_long_list_keeps_its_beginning() -> None:
    cut = bounded({"data": [{"id": n, "preview": "x" * 500} for n in range(5_000)]})
    assert [item["id"] for item in cut["data"]][:3] == [0, 1, 2]
    assert len(cut["data"]) < 5_000


@pytest.mark.parametrize("value", [{f"k{n}": "x" * 100 for n in range(10_000)}, ["x" * 100] * 10_000])
def test_what_cannot_be_cut_enough_is_left_out_or_short(value: Any) -> None:
    assert len(msgspec.json.encode(bounded(value))) <= MAX_BYTES


@given(st.integers(0, 400_000), st.integers(1, 300), st.integers(0, 20))
def test_whatever_it_was_it_fits(characters: int, items: int, deep: int) -> None:
    value: Any = {"text": "ü" * characters, "parts": [{"x": "y" * 3_000}] * items}
    for _ in range(deep):
        value = {"inner": value}
    assert len(msgspec.json.encode(bounded(value))) <= MAX_BYTES


def test_a_short_text_is_not_shortened() -> None:
    assert (shortened("abc", 3), shortened("abcd", 3)) == ("abc", "abc… [1 characters cut]")
