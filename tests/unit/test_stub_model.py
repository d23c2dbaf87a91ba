"""The stub model answers as Codex expects of a Responses endpoint (STACK §7)."""

import json
from typing import Any

import httpx
import pytest

from ops.stub_model.app import build
from ops.stub_model.responses import Json
from ops.stub_model.turns import respond

EXEC_COMMAND = {"type": "function", "name": "exec_command", "parameters": {"properties": {"cmd": {"type": "string"}}}}
SHELL = {"type": "function", "name": "shell", "parameters": {"properties": {"command": {"type": "array"}}}}
TEXT_PATCH = {"type": "custom", "name": "apply_patch", "format": {"type": "grammar"}}
JSON_PATCH = {"type": "function", "name": "apply_patch", "parameters": {"properties": {"input": {"type": "string"}}}}
PLAN = {"type": "function", "name": "update_plan", "parameters": {"properties": {"plan": {"type": "array"}}}}


def said(text: str) -> Json:
    return {"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]}


def printed(output: Any) -> Json:
    return {"type": "function_call_output", "call_id": "call_1", "output": output}


def deltas(events: list[Json]) -> list[str]:
    return [event["delta"] for event in events if event["type"] == "response.output_text.delta"]


def answer(items: list[Json], tools: list[Json] | None = None) -> list[Json]:
    return list(respond({"input": items, "tools": tools or []}, "r1"))


def item_done(events: list[Json]) -> Json:
    [done] = [event["item"] for event in events if event["type"] == "response.output_item.done"]
    assert isinstance(done, dict)
    return done


def text_of(events: list[Json]) -> str:
    return str(item_done(events)["content"][0]["text"])


@pytest.mark.parametrize(
    ("tools", "name", "arguments"),
    [
        ([PLAN, EXEC_COMMAND], "exec_command", {"cmd": "echo hi"}),
        ([SHELL], "shell", {"command": ["bash", "-lc", "echo hi"]}),
    ],
)
def test_run_calls_the_command_tool_that_the_request_offers(tools: list[Json], name: str, arguments: Json) -> None:
    call = item_done(answer([said("hello"), said("run: echo hi")], tools))
    assert (call["type"], call["name"], json.loads(call["arguments"])) == ("function_call", name, arguments)


def test_without_a_command_tool_it_says_so() -> None:
    assert "no tool" in text_of(answer([said("run: echo hi")], [PLAN]))


@pytest.mark.parametrize(
    "output", ["Chunk ID: 1\nOutput:\nqwertz\n", "qwertz", [{"type": "input_text", "text": "qwertz"}]]
)
def test_the_commands_output_becomes_the_answer(output: Any) -> None:
    events = answer([said("run: cat nonce"), printed(output)], [EXEC_COMMAND])
    assert text_of(events) == "The command printed:\nqwertz"


def test_a_new_message_after_an_output_is_a_new_turn() -> None:
    assert "You said: thanks" in text_of(answer([said("run: ls"), printed("x"), said("thanks")], [EXEC_COMMAND]))


def test_a_text_comes_in_several_deltas_that_add_up() -> None:
    events = answer([said("hello there")])
    assert len(deltas(events)) > 1
    assert "".join(deltas(events)) == text_of(events)


PATCH = "*** Begin Patch\n*** Add File: a/b.txt\n+one\n+\n+  zwei\u2028Zeilen\n*** End Patch"


@pytest.mark.parametrize(
    ("tools", "kind", "argument", "value"),
    [
        ([EXEC_COMMAND, TEXT_PATCH], "custom_tool_call", None, PATCH),
        ([EXEC_COMMAND, JSON_PATCH], "function_call", "input", PATCH),
        ([PLAN, EXEC_COMMAND], "function_call", "cmd", f"apply_patch <<'END_OF_PATCH'\n{PATCH}\nEND_OF_PATCH"),
    ],
)
def test_a_patch_goes_through_the_best_tool_that_the_request_offers(
    tools: list[Json], kind: str, argument: str | None, value: str
) -> None:
    call = item_done(answer([said("patch: a/b.txt\none\n\n  zwei\u2028Zeilen\n")], tools))
    assert call["type"] == kind
    assert (json.loads(call["arguments"])[argument] if argument else call["input"]) == value


def test_what_applying_a_patch_gave_becomes_the_answer() -> None:
    done = {"type": "custom_tool_call_output", "call_id": "call_1", "output": "Success."}
    assert "Success." in text_of(answer([said("patch: a\nb"), done], [TEXT_PATCH]))


def test_a_warning_that_codex_adds_to_an_output_is_no_new_turn() -> None:
    warned = said("Warning: apply_patch was requested via exec_command. Use the apply_patch tool instead.")
    assert "Success." in text_of(answer([said("patch: a\nb"), printed("Success."), warned], [EXEC_COMMAND]))


def spent(events: list[Json]) -> int:
    usage = events[-1]["response"]["usage"]
    assert usage["input_tokens"] + usage["output_tokens"] == usage["total_tokens"]
    return int(usage["total_tokens"])


def test_usage_costs_what_it_says_in_each_of_so_many_calls() -> None:
    items, kinds = [said("usage: 701 x3")], []
    for _ in range(3):
        events = answer(items, [EXEC_COMMAND])
        assert spent(events) == 701
        kinds.append(item_done(events)["type"])
        items.append(printed(""))
    assert kinds == ["function_call", "function_call", "message"]
    assert spent(answer([said("usage: 9")])) == 9


def test_words_come_one_delta_each() -> None:
    events = answer([said("words: 10000")])
    assert len(deltas(events)) == 10_000
    assert text_of(events).split() == [f"word{number}" for number in range(1, 10_001)]


def test_a_failure_ends_the_answer_with_its_message() -> None:
    created, failure = answer([said("fail: no more")])
    assert (created["type"], failure["type"]) == ("response.created", "response.failed")
    assert failure["response"]["error"]["message"] == "no more"
    assert answer([said("fail:")])[-1]["response"]["error"]["message"]


def test_every_answer_begins_with_created_and_ends_with_completed_and_usage() -> None:
    first, *_, last = answer([said("hello")])
    assert first["type"] == "response.created"
    assert (last["type"], last["response"]["usage"]["total_tokens"]) == ("response.completed", 2)


async def test_over_http_it_streams_events_and_refuses_what_is_not_a_request() -> None:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(build()), base_url="http://stub") as http:
        streamed = await http.post("/v1/responses", json={"input": [said("hello")]})
        assert streamed.headers["content-type"].startswith("text/event-stream")
        assert streamed.text.startswith("event: response.created\ndata: {")
        assert (await http.get("/readyz")).status_code == 200
        assert (await http.get("/v1/models")).json()["data"][0]["id"] == "stub-model"
        for content in (b"no json", b"[]", b'{"input":"text"}'):
            assert (await http.post("/v1/responses", content=content)).status_code == 400


@pytest.mark.parametrize(("prompt", "waits"), [("slow: 0.5", [0.1] * 5), ("words: 5", [])])
async def test_a_slow_answer_waits_before_each_delta(prompt: str, waits: list[float]) -> None:
    waited: list[float] = []

    async def sleep(seconds: float) -> None:
        waited.append(seconds)

    async with httpx.AsyncClient(transport=httpx.ASGITransport(build(sleep)), base_url="http://stub") as http:
        streamed = await http.post("/v1/responses", json={"input": [said(prompt)]})
    assert waited == waits
    assert streamed.text.count("event: response.output_text.delta") == 5
