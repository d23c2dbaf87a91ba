"""Server-sent events arrive in any pieces and hold any text (runtime §2.17)."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from oa_client.sse import Frame, Parser

WORKER_FRAME = 'id: 42\nevent: codex.worker.event\ndata: {"text":"zwei\u2028Zeilen\u0085"}\n\n'.encode()
PARSED = Frame("42", "codex.worker.event", '{"text":"zwei\u2028Zeilen\u0085"}')


@given(st.lists(st.integers(0, len(WORKER_FRAME)), max_size=6))
def test_a_frame_is_the_same_however_it_is_cut(cuts: list[int]) -> None:
    parser, edges = Parser(), [0, *sorted(cuts), len(WORKER_FRAME)]
    pieces = [WORKER_FRAME[start:end] for start, end in pairwise(edges)]
    assert [frame for piece in pieces for frame in parser.feed(piece)] == [PARSED]


@pytest.mark.parametrize(
    ("text", "frames"),
    [
        (b"data: a\r\n\r\n", [Frame("", "message", "a")]),
        (b"data: a\ndata: b\n\n", [Frame("", "message", "a\nb")]),
        (b": comment\n\n", []),
        (b"id: 3\n\ndata: x\n\n", [Frame("", "message", "x")]),
        (b"data:x\n\ndata: y\n\n", [Frame("", "message", "x"), Frame("", "message", "y")]),
        (b"data: unfinished\n", []),
    ],
)
def test_fields_make_frames(text: bytes, frames: list[Frame]) -> None:
    assert list(Parser().feed(text)) == frames
