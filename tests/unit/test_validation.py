"""Field rules, bodies and the envelopes their failures get (edge §1.1–1.2, runtime §2.1, DEC-20)."""

from typing import Annotated, Any

import httpx
import pytest
from pydantic import Field
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from edge.errors import Invalid
from edge.middleware import CrashAnswers, middleware
from edge.requests import (
    MAX_DEPTH,
    Boolean,
    Fields,
    Identifier,
    Integer,
    Line,
    Nullable,
    OpaqueObject,
    body_of,
    decode,
    endpoints,
    parse,
    query_of,
)
from edge.responses import EXCEPTION_HANDLERS, data
from producers.errors import Conflict, Forbidden, InvalidRequest, LogUnavailable, NotFound, TooLarge


class Body(Fields):
    name: Annotated[Line, Field(min_length=1, max_length=5)]
    note: Nullable[Annotated[Line, Field(max_length=5)]] = None
    count: Nullable[Annotated[Integer, Field(ge=0, le=9)]] = None
    flag: Nullable[Boolean] = None
    tags: Nullable[list[Line]] = None
    id: Nullable[Identifier] = None
    payload: OpaqueObject | None = None


def fields(**given: Any) -> Body:
    return parse(Body, {"name": "ada", **given})


def broken(document: Any) -> dict[str, str]:
    with pytest.raises(Invalid) as refusal:
        parse(Body, document)
    return dict(refusal.value.issues)


def test_named_strings_are_trimmed_and_blank_is_null() -> None:
    assert (fields(name="  ada ").name, fields(note=" x ").note) == ("ada", "x")
    assert [fields(note=blank).note for blank in ("", "  ", None)] == [None, None, None]


def test_unknown_keys_are_ignored() -> None:
    assert "other" not in fields(other=1).model_dump()


@pytest.mark.parametrize(("given", "read"), [(5, 5), ("5", 5), (" +5 ", 5), (5.0, 5), ("", None), (None, None)])
def test_integers_may_look_like_text(given: Any, read: int | None) -> None:
    assert fields(count=given).count == read


@pytest.mark.parametrize("given", [5.5, "5.0", "five", "1_0", "٥", True, [5], "9" * 30])
def test_other_things_are_no_integers(given: Any) -> None:
    assert broken({"name": "ada", "count": given}).keys() == {"count"}


@pytest.mark.parametrize(("given", "read"), [(True, True), (0, False), ("1", True), ("0", False), ("", None)])
def test_booleans_may_look_like_bits(given: Any, read: bool | None) -> None:
    assert fields(flag=given).flag is read


@pytest.mark.parametrize("given", ["true", 2, 1.5, []])
def test_other_things_are_no_booleans(given: Any) -> None:
    assert broken({"name": "ada", "flag": given}).keys() == {"flag"}


def test_all_broken_rules_are_told_under_dotted_paths() -> None:
    issues = broken({"name": 5, "note": "too long", "tags": ["a", 5], "payload": "x"})
    assert issues.keys() == {"name", "note", "tags.1", "payload"}


def test_control_characters_break_a_line_and_an_identifier_is_the_deciders_matter() -> None:
    assert broken({"name": "a\x00b"}).keys() == {"name"}
    with pytest.raises(InvalidRequest):
        fields(id="a\x00b")


def test_an_opaque_object_keeps_every_byte_of_meaning() -> None:
    text = b'{"name":"ada","payload":{"big":123456789012345678901234567890,"f":1.0,"e":{},"l":[]," s ":" s "}}'
    payload = parse(Body, decode(text)).payload
    assert payload == {"big": 123456789012345678901234567890, "f": 1.0, "e": {}, "l": [], " s ": " s "}
    assert isinstance(payload["f"], float)
    assert fields(payload=[]).payload == {}


@pytest.mark.parametrize(
    "body", [b"{", b"nul", b"{'a':1}", b'"\\ud800"', b"\xff\xfe", b"[" * 100_000, b"1e999", b"NaN"]
)
def test_what_is_not_json_is_invalid(body: bytes) -> None:
    with pytest.raises(Invalid, match="JSON"):
        decode(body)


def test_nesting_is_bounded() -> None:
    decode(b"[" * MAX_DEPTH + b"]" * MAX_DEPTH)
    decode(b"[" + b"{}," * 1000 + b"{}]")
    deeper = MAX_DEPTH + 1
    with pytest.raises(Invalid, match="nested"):
        decode(b'{"a":' * deeper + b"1" + b"}" * deeper)


# --- a tiny app with the same endpoint on both APIs ------------------------------------------------------------------

REASONS = {
    "invalid": InvalidRequest("no"),
    "large": TooLarge("no"),
    "forbidden": Forbidden("no"),
    "missing": NotFound("no"),
    "conflict": Conflict("no"),
    "log": LogUnavailable("no"),
    "database": ConnectionRefusedError("no"),
    "crash": ZeroDivisionError("no"),
}


async def echo(request: Request) -> Response:
    body = query_of(request, Body) if request.method in ("GET", "HEAD") else await body_of(request, Body, limit=1000)
    return data(body.model_dump())


async def fail(request: Request) -> Response:
    raise REASONS[request.path_params["reason"]]


def client(*, closed: bool = False, trusted: tuple[str, ...] = ()) -> httpx.AsyncClient:
    routes = [
        *(endpoints(path, GET=echo, POST=echo) for path in ("/api/echo", "/internal/v1/echo")),
        *(
            endpoints(path + "/{reason}", GET=fail)
            for path in ("/api/fail", "/api/runtime/codex/workers", "/internal/v1/fail")
        ),
        endpoints("/api/address", GET=address),
        endpoints("/readyz", GET=address),
    ]
    app = Starlette(
        routes=routes, middleware=middleware(trusted, lambda _: closed), exception_handlers=EXCEPTION_HANDLERS
    )
    app.router.redirect_slashes = False
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url="http://edge.test")


async def address(request: Request) -> Response:
    assert request.client is not None
    return data({"host": request.client.host, "scheme": request.url.scheme})


async def test_the_public_api_answers_422_with_message_and_errors() -> None:
    answer = await client().post("/api/echo", json={"note": "too long", "count": 10})
    assert answer.status_code == 422
    body = answer.json()
    assert body["errors"].keys() == {"name", "note", "count"}
    assert body["message"] == body["errors"]["name"][0] + " (and 2 more errors)"


async def test_the_signed_api_answers_400_in_its_envelope() -> None:
    answer = await client().post("/internal/v1/echo", json={"note": "too long"})
    error = answer.json()["error"]
    assert (answer.status_code, error["code"], len(error["details"])) == (400, "invalid_request", 2)


@pytest.mark.parametrize(
    ("content", "content_type", "status"),
    [
        (b'{"name":"ada"}', "application/json", 200),
        (b'{"name":"ada"}', "text/plain", 200),
        (b"name=ada&tags[]=x&count=5", "application/x-www-form-urlencoded; charset=utf-8", 200),
        (b"name=%ff", "application/x-www-form-urlencoded", 422),
        (b"{", "application/json", 422),
        (b'"text"', "application/json", 422),
        (b"\xff", "application/json", 422),
        (b"", "application/json", 422),
        (b" " * 1001, "application/json", 413),
    ],
)
async def test_bodies_by_content(content: bytes, content_type: str, status: int) -> None:
    for path, expected in (("/api/echo", status), ("/internal/v1/echo", 400 if status == 422 else status)):
        answer = await client().post(path, content=content, headers={"content-type": content_type})
        assert answer.status_code == expected
        assert answer.headers["content-type"] == "application/json"


async def test_a_body_of_unknown_length_is_cut_off_at_the_limit() -> None:
    async def chunks() -> Any:
        for _ in range(100):
            yield b" " * 100

    answer = await client().post("/internal/v1/echo", content=chunks())
    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "invalid_request")


async def test_a_query_is_validated_with_the_same_rules() -> None:
    assert (await client().get("/api/echo?name=ada&count=5")).json()["data"]["count"] == 5
    assert (await client().get("/api/echo?name=ada&count=x")).json()["errors"].keys() == {"count"}


@pytest.mark.parametrize(
    ("reason", "public", "worker", "internal"),
    [
        ("invalid", (400, "invalid_request"), (400, "invalid_request"), (400, "invalid_request")),
        ("large", (413, "invalid_request"), (413, "invalid_request"), (413, "invalid_request")),
        ("forbidden", (403, "forbidden"), (403, "forbidden"), (403, "forbidden")),
        ("missing", (404, "not_found"), (404, "not_found"), (404, "not_found")),
        ("conflict", (409, "conflict"), (409, "conflict"), (409, "conflict")),
        ("log", (503, None), (502, "runtime_codex_failed"), (503, "internal_error")),
        ("database", (503, None), (502, "runtime_codex_failed"), (503, "internal_error")),
        ("crash", (500, None), (500, None), (500, "internal_error")),
    ],
)
async def test_errors_by_api(
    reason: str, public: tuple[int, str | None], worker: tuple[int, str | None], internal: tuple[int, str | None]
) -> None:
    paths = {"/api/fail": public, "/api/runtime/codex/workers": worker, "/internal/v1/fail": internal}
    for path, expected in paths.items():
        answer = await client().get(f"{path}/{reason}")
        body = answer.json()
        assert (answer.status_code, body.get("error", {}).get("code")) == expected
        assert "error" in body or body["message"]


async def test_unknown_routes_and_wrong_methods() -> None:
    assert (await client().get("/api/unknown")).json().keys() == {"message"}
    assert (await client().get("/api/echo/")).status_code == 404
    assert (await client().get("/internal/v1/unknown")).json()["error"]["code"] == "not_found"
    public, internal = await client().delete("/api/echo"), await client().delete("/internal/v1/echo")
    for answer in (public, internal):
        assert answer.status_code == 405
        assert {method.strip() for method in answer.headers["allow"].split(",")} == {"GET", "HEAD", "POST"}
    assert internal.json()["error"]["code"] == "invalid_request"


async def test_head_works_where_get_does() -> None:
    answer = await client().head("/api/echo?name=ada")
    assert (answer.status_code, answer.content) == (200, b"")


async def test_a_crash_in_the_middle_of_a_response_cuts_it_off() -> None:
    async def half(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        raise ZeroDivisionError("no")

    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        return {"type": "http.disconnect"}

    with pytest.raises(ZeroDivisionError):
        await CrashAnswers(half)({"type": "http", "method": "GET", "path": "/api/half"}, receive, send)
    assert [message["type"] for message in sent] == ["http.response.start"]


@pytest.mark.parametrize(
    ("sent", "kept"), [("req-1.A:_", True), ("a" * 128, True), ("a" * 129, False), ("a b", False), ("", False)]
)
async def test_every_answer_has_a_request_id(sent: str, kept: bool) -> None:
    for path in ("/api/echo?name=ada", "/api/fail/crash", "/internal/v1/unknown"):
        answer = await client().get(path, headers={"x-request-id": sent})
        assert (answer.headers["x-request-id"] == sent) is kept
        assert answer.headers["x-request-id"]


async def test_any_origin_may_call_the_public_api_without_credentials() -> None:
    for path in ("/api/echo?name=ada", "/api/fail/crash", "/api/unknown"):
        answer = await client().get(path, headers={"origin": "https://elsewhere.test"})
        assert answer.headers["access-control-allow-origin"] == "*"
        assert "access-control-allow-credentials" not in answer.headers
    assert "access-control-allow-origin" not in (await client().get("/internal/v1/unknown")).headers


async def test_a_preflight_is_answered_with_what_it_asks_for() -> None:
    asked = {
        "origin": "https://elsewhere.test",
        "access-control-request-method": "DELETE",
        "access-control-request-headers": "authorization, x-client",
    }
    answer = await client().options("/api/echo", headers=asked)
    assert (answer.status_code, answer.content) == (204, b"")
    assert answer.headers["access-control-allow-methods"] == "DELETE"
    assert answer.headers["access-control-allow-headers"] == "authorization, x-client"


async def test_maintenance_closes_everything_but_the_probes() -> None:
    closed = client(closed=True)
    assert (await closed.get("/api/echo?name=ada")).json() == {"message": "Service Unavailable"}
    assert (await closed.get("/internal/v1/echo")).json()["error"]["code"] == "internal_error"
    assert (await closed.get("/readyz")).status_code == 200


async def test_forwarded_headers_are_believed_from_configured_proxies_only() -> None:
    forged = {"x-forwarded-for": "203.0.113.9", "x-forwarded-proto": "https"}
    assert (await client().get("/api/address", headers=forged)).json()["data"] == {
        "host": "127.0.0.1",
        "scheme": "http",
    }
    behind = client(trusted=("127.0.0.0/8",))
    assert (await behind.get("/api/address", headers=forged)).json()["data"] == {
        "host": "203.0.113.9",
        "scheme": "https",
    }
    chained = {"x-forwarded-for": "6.6.6.6, 203.0.113.9, 127.0.0.2"}
    assert (await behind.get("/api/address", headers=chained)).json()["data"]["host"] == "203.0.113.9"
