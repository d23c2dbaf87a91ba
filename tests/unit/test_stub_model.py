"""The stub model answers as Codex expects of a Responses endpoint (STACK §7)."""

import json
from typing import Any

import httpx
import pytest

from ops.stub_model.app import build
from ops.stub_model.turns import Json, respond

EXEC_COMMAND = {"type": "function", "name": "exec_command", "parameters": {"properties": {"cmd": {"type": "string"}}}}
SHELL = {"type": "function", "name": "shell", "parameters": {"properties": {"command": {"type": "array"}}}}
PLAN = {"type": "function", "name": "update_plan", "parameters": {"properties": {"plan": {"type": "array"}}}}


def said(text: str) -> Json:
    return {"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]}


def printed(output: Any) -> Json:
    return {"type": "function_call_output", "call_id": "call_1", "output": output}


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
    deltas = [event["delta"] for event in events if event["type"] == "response.output_text.delta"]
    assert len(deltas) > 1
    assert "".join(deltas) == text_of(events)


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
