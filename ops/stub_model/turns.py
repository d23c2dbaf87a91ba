"""What the stub model answers: a command call when it is asked to run something, else a short text (STACK §7)."""

import json
import re
from collections.abc import Iterator
from typing import Any

Json = dict[str, Any]

_ASKS_FOR_A_COMMAND = re.compile(r"^\s*run:\s*(?P<command>\S.*)$", re.MULTILINE | re.DOTALL)
_DELTAS = 4


def respond(request: Json, response_id: str) -> Iterator[Json]:
    """The server-sent events of one `POST /v1/responses`, in order."""
    yield {"type": "response.created", "response": {"id": response_id}}
    yield from _output(request, response_id)
    yield {"type": "response.completed", "response": {"id": response_id, "usage": _usage()}}


def _output(request: Json, response_id: str) -> Iterator[Json]:
    text, output = _last_turn(request.get("input") or [])
    if output is not None:
        return _message(f"The command printed:\n{_printed(output)}", response_id)
    asked = _ASKS_FOR_A_COMMAND.match(text)
    if asked is None:
        return _message(f"You said: {text.strip()}. Send `run: <command>` and I run it.", response_id)
    tool = _command_tool(request.get("tools") or [])
    if tool is None:
        return _message("I was given no tool that runs commands.", response_id)
    return _call(tool, asked["command"].strip(), response_id)


def _last_turn(items: list[Json]) -> tuple[str, str | None]:
    """The newest user text and the newest command output after it, if there is one."""
    text, output = "", None
    for item in items:
        if item.get("type") == "function_call_output":
            output = _text_of(item.get("output"))
        elif item.get("role") == "user":
            text, output = _text_of(item.get("content")), None
    return text, output


def _text_of(content: Any) -> str:
    if isinstance(content, list):
        return "".join(str(part.get("text", "")) for part in content if isinstance(part, dict))
    return str(content or "")


def _printed(output: str) -> str:
    """What the command wrote, without the lines Codex puts above it."""
    _, marker, printed = output.partition("Output:\n")
    return (printed if marker else output).strip()


def _command_tool(tools: list[Json]) -> tuple[str, str, bool] | None:
    """Name of the first tool that takes a command, its argument's name, and whether that is a list of words."""
    for tool in tools:
        properties = (tool.get("parameters") or {}).get("properties") or {}
        for argument in ("cmd", "command"):
            if argument in properties:
                return tool["name"], argument, properties[argument].get("type") == "array"
    return None


def _call(tool: tuple[str, str, bool], command: str, response_id: str) -> Iterator[Json]:
    name, argument, as_words = tool
    arguments = {argument: ["bash", "-lc", command] if as_words else command}
    item = {
        "type": "function_call",
        "id": f"fc_{response_id}",
        "call_id": f"call_{response_id}",
        "name": name,
        "arguments": json.dumps(arguments),
    }
    yield {"type": "response.output_item.added", "output_index": 0, "item": item}
    yield {"type": "response.output_item.done", "output_index": 0, "item": item}


def _message(text: str, response_id: str) -> Iterator[Json]:
    item: Json = {"type": "message", "id": f"msg_{response_id}", "role": "assistant", "content": []}
    yield {"type": "response.output_item.added", "output_index": 0, "item": item}
    for delta in _pieces(text):
        yield {"type": "response.output_text.delta", "item_id": item["id"], "output_index": 0, "delta": delta}
    yield {
        "type": "response.output_item.done",
        "output_index": 0,
        "item": item | {"content": [{"type": "output_text", "text": text, "annotations": []}]},
    }


def _pieces(text: str) -> list[str]:
    size = max(1, -(-len(text) // _DELTAS))
    return [text[start : start + size] for start in range(0, len(text), size)]


def _usage() -> Json:
    return {
        "input_tokens": 1,
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens": 1,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": 2,
    }
