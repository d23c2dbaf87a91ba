"""What the stub model answers to each kind of prompt; the kinds are listed in docs/clients.md."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from ops.stub_model.responses import Json, completed, failed, message
from ops.stub_model.tools import adding, command_tool, patch_call

SLOW_DELTAS_EVERY_S = 0.1

_DELTAS = 4
_SMALL_TOKENS = 2
_HARMLESS = "true"

_CODEX_WARNS = "Warning: "
"""Codex 0.104 speaks to the model as its user when a patch came as a command."""


@dataclass
class Turn:
    """The newest text of a user, and what the tools that were called for it gave so far."""

    response_id: str
    tools: list[Json]
    text: str = ""
    outputs: list[str] = field(default_factory=list)

    def says(self, text: str, total_tokens: int = _SMALL_TOKENS) -> Iterator[Json]:
        return self.answers(message(self.response_id, _quarters(text)), total_tokens)

    def answers(self, output: Iterator[Json], total_tokens: int = _SMALL_TOKENS) -> Iterator[Json]:
        return completed(self.response_id, output, total_tokens)


def respond(request: Json, response_id: str) -> Iterator[Json]:
    """The server-sent events of one `POST /v1/responses`, in order."""
    turn = _turn(request, response_id)
    for prompt, answer in _PROMPTS.items():
        if asked := prompt.fullmatch(turn.text.strip()):
            return answer(turn, asked)
    return turn.says(f"You said: {turn.text.strip()}. Send `run: <command>` and I run it.")


def pause_s(request: Json) -> float:
    """How long to wait before each delta of the answer."""
    return SLOW_DELTAS_EVERY_S if _SLOW.fullmatch(_turn(request, "").text.strip()) else 0.0


def _run(turn: Turn, asked: re.Match[str]) -> Iterator[Json]:
    return turn.says(_told(turn)) if turn.outputs else _called(turn, asked["command"])


def _patch(turn: Turn, asked: re.Match[str]) -> Iterator[Json]:
    if turn.outputs:
        return turn.says(_told(turn))
    call = patch_call(turn.tools, turn.response_id, adding(asked["path"].strip(), asked["text"]))
    return turn.answers(call) if call else turn.says("I was given no tool that writes files.")


def _use(turn: Turn, asked: re.Match[str]) -> Iterator[Json]:
    """As many model calls as asked for, each of them at that price."""
    tokens, calls = int(asked["tokens"]), int(asked["calls"] or 1)
    if len(turn.outputs) + 1 < calls:
        return _called(turn, _HARMLESS, tokens)
    return turn.says(f"I used {tokens * calls} tokens.", tokens)


def _speak(turn: Turn, asked: re.Match[str]) -> Iterator[Json]:
    return turn.answers(message(turn.response_id, _words(int(asked["words"]))))


def _take_time(turn: Turn, asked: re.Match[str]) -> Iterator[Json]:
    return turn.answers(message(turn.response_id, _words(round(float(asked["seconds"]) / SLOW_DELTAS_EVERY_S))))


def _fail(turn: Turn, asked: re.Match[str]) -> Iterator[Json]:
    return failed(turn.response_id, asked["message"] or "the stub model was asked to fail")


_SLOW = re.compile(r"slow:\s*(?P<seconds>\d+(\.\d+)?)")

_PROMPTS: dict[re.Pattern[str], Callable[[Turn, re.Match[str]], Iterator[Json]]] = {
    re.compile(r"run:\s*(?P<command>\S.*)", re.DOTALL): _run,
    re.compile(r"patch:\s*(?P<path>[^\n]+)\n(?P<text>.*)", re.DOTALL): _patch,
    re.compile(r"usage:\s*(?P<tokens>\d+)(\s*x\s*(?P<calls>\d+))?"): _use,
    re.compile(r"words:\s*(?P<words>\d+)"): _speak,
    _SLOW: _take_time,
    re.compile(r"fail:\s*(?P<message>.*)", re.DOTALL): _fail,
}


def _turn(request: Json, response_id: str) -> Turn:
    turn = Turn(response_id, request.get("tools") or [])
    for item in request.get("input") or []:
        if item.get("type") in ("function_call_output", "custom_tool_call_output"):
            turn.outputs.append(_text_of(item.get("output")))
        elif item.get("role") == "user" and not (text := _text_of(item.get("content"))).startswith(_CODEX_WARNS):
            turn.text, turn.outputs = text, []
    return turn


def _text_of(content: Any) -> str:
    if isinstance(content, list):
        return "".join(str(part.get("text", "")) for part in content if isinstance(part, dict))
    return str(content or "")


def _called(turn: Turn, command: str, total_tokens: int = _SMALL_TOKENS) -> Iterator[Json]:
    tool = command_tool(turn.tools)
    if tool is None:
        return turn.says("I was given no tool that runs commands.")
    return turn.answers(tool.call(turn.response_id, command), total_tokens)


def _told(turn: Turn) -> str:
    """What the command wrote, without the lines Codex puts above it."""
    _, marker, printed = turn.outputs[-1].partition("Output:\n")
    return f"The command printed:\n{(printed if marker else turn.outputs[-1]).strip()}"


def _quarters(text: str) -> list[str]:
    size = max(1, -(-len(text) // _DELTAS))
    return [text[start : start + size] for start in range(0, len(text), size)]


def _words(count: int) -> Iterator[str]:
    return (f"word{number} " for number in range(1, count + 1))
