"""What a Responses endpoint streams for one answer, event by event (STACK §7)."""

import json
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Any

Json = dict[str, Any]

DELTA = "response.output_text.delta"


def completed(response_id: str, output: Iterable[Json], total_tokens: int) -> Iterator[Json]:
    """One whole answer that says how much it cost."""
    done = {"type": "response.completed", "response": {"id": response_id, "usage": _usage(total_tokens)}}
    return chain([_created(response_id)], output, [done])


def failed(response_id: str, message: str) -> Iterator[Json]:
    """An answer that the model refuses to give; its code is one that Codex does not try again."""
    error = {"code": "invalid_prompt", "message": message}
    return iter([_created(response_id), {"type": "response.failed", "response": {"id": response_id, "error": error}}])


def message(response_id: str, pieces: Iterable[str]) -> Iterator[Json]:
    """A text, one delta for each piece."""
    item: Json = {"type": "message", "id": f"msg_{response_id}", "role": "assistant", "content": []}
    text = ""
    yield {"type": "response.output_item.added", "output_index": 0, "item": item}
    for piece in pieces:
        text += piece
        yield {"type": DELTA, "item_id": item["id"], "output_index": 0, "delta": piece}
    content = [{"type": "output_text", "text": text, "annotations": []}]
    yield {"type": "response.output_item.done", "output_index": 0, "item": item | {"content": content}}


def function_call(response_id: str, name: str, arguments: Json) -> Iterator[Json]:
    call = {"type": "function_call", "id": f"fc_{response_id}", "name": name, "arguments": json.dumps(arguments)}
    return _call(response_id, call)


def custom_call(response_id: str, name: str, text: str) -> Iterator[Json]:
    """A call of a tool that takes free text."""
    return _call(response_id, {"type": "custom_tool_call", "id": f"ctc_{response_id}", "name": name, "input": text})


def _call(response_id: str, call: Json) -> Iterator[Json]:
    item = call | {"call_id": f"call_{response_id}"}
    for step in ("added", "done"):
        yield {"type": f"response.output_item.{step}", "output_index": 0, "item": item}


def _created(response_id: str) -> Json:
    return {"type": "response.created", "response": {"id": response_id}}


def _usage(total_tokens: int) -> Json:
    output_tokens = total_tokens // 2
    return {
        "input_tokens": total_tokens - output_tokens,
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens": output_tokens,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": total_tokens,
    }
