"""Calls of the tools that a request offers: which of them runs commands, which applies patches."""

from collections.abc import Iterator
from dataclasses import dataclass

from ops.stub_model.responses import Json, custom_call, function_call

_PATCHES = "apply_patch"
_END_OF_PATCH = "END_OF_PATCH"


@dataclass(frozen=True)
class CommandTool:
    """A function whose `argument` takes a command: one text, or a list of words."""

    name: str
    argument: str
    as_words: bool

    def call(self, response_id: str, command: str) -> Iterator[Json]:
        value = ["bash", "-lc", command] if self.as_words else command
        return function_call(response_id, self.name, {self.argument: value})


def command_tool(tools: list[Json]) -> CommandTool | None:
    """The first tool that takes a command."""
    for tool in tools:
        properties = (tool.get("parameters") or {}).get("properties") or {}
        for argument in ("cmd", "command"):
            if argument in properties:
                return CommandTool(tool["name"], argument, properties[argument].get("type") == "array")
    return None


def patch_call(tools: list[Json], response_id: str, patch: str) -> Iterator[Json] | None:
    """By the tool for patches; without one by a command, which Codex recognises as a patch."""
    for tool in tools:
        if tool.get("name") == _PATCHES and tool["type"] == "custom":
            return custom_call(response_id, _PATCHES, patch)
        if tool.get("name") == _PATCHES:
            return function_call(response_id, _PATCHES, {"input": patch})
    shell = command_tool(tools)
    if shell is None:
        return None
    return shell.call(response_id, f"{_PATCHES} <<'{_END_OF_PATCH}'\n{patch}\n{_END_OF_PATCH}")


def adding(path: str, text: str) -> str:
    """The patch that writes a file."""
    lines = "".join(f"+{line}\n" for line in text.removesuffix("\n").split("\n"))
    return f"*** Begin Patch\n*** Add File: {path}\n{lines}*** End Patch"
