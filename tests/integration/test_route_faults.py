"""Every route × every fault: the contract's error, and nothing written (edge §1, runtime §2.1, sync §4.3).

The rows come from the app's own route table and from tests/routes.py.
"""

import asyncio
import copy
import dataclasses
import json
import re
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AsyncExitStack, ExitStack
from datetime import UTC, datetime
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, unquote

import asyncpg
import httpx
import pytest
from redis.asyncio import Redis
from starlette.routing import Route, WebSocketRoute

from edge.auth.rate_limits import MemoryCounter, RedisCounter, SpareCounter
from edge.auth.request_token import HEADER
from edge.auth.sync_tokens import mint
from ops.database import open_pool
from producers.eventlog.epochs import suspend
from tests import services
from tests.account_app import Unlimited
from tests.nodes import SETTINGS, Caller, Node, node, sign_in, signed_token
from tests.routes import BROWSER, NEW, NEW_WEBHOOK, ROUTES, SCHEMA, THREAD, Access, Expected, Fault
from tests.run_calls import RunCalls
from tests.spend_calls import SpendCalls

Pool = asyncpg.Pool
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
NOT_OBJECTS = (b'"text"', b"[1]", b"5")
MALFORMED = (b"{", b"\xff\xfe", b'{"a":NaN}', b"[" * 5000, b'{"a":' * 500 + b"1" + b"}" * 500)
TOO_LARGE = b" " * (8 * 1024 * 1024 + 1)
UNAUTHORISED = {
    Access.USER: ("no", "wrong", "expired", "revoked"),
    Access.SIGNED: ("no", "wrong", "expired", "used"),
}
FOR_NOBODY = ("/health", "/comms/delivery-events")
"""Signed, and asked by services for nobody (runtime §2.3)."""
NOBODYS: dict[str, dict[str, int]] = {
    "worker_id": {"unknown": 404, "somebody else's": 403},
    "run_id": {"unknown": 404, "somebody else's": 403},
    "authorization_id": {"unknown": 404, "somebody else's": 403},
    **{name: {"unknown": 404, "somebody else's": 404} for name in ("token_id", "webhook_id", "subscription_id")},
}
CODES = {
    **dict.fromkeys((400, 405, 406, 413), "invalid_request"),
    401: "unauthorized",
    403: "forbidden",
    404: "not_found",
    409: "conflict",
    503: "internal_error",
}


class Row(NamedTuple):
    """One request and the status it gets; `who` names credentials, `which` the objects in the path."""

    route: str
    fault: str
    status: int
    who: str = "somebody"
    which: str = "own"
    method: str | None = None
    content: bytes | None = None
    media: str = "application/json"
    query: str | None = None
    errors: frozenset[str] | None = None
    headers: Mapping[str, str] = {}
    suffix: str = ""

    @property
    def expected(self) -> Expected:
        return ROUTES[self.route]

    @property
    def path(self) -> str:
        return self.route.partition(" ")[2]


# --- the rows ------------------------------------------------------------------------------------------------------


def rows() -> Iterator[Row]:
    for route, expected in ROUTES.items():
        if expected.access is Access.SOCKET:
            yield from _socket_rows(route)
            continue
        yield from _credential_rows(route, expected)
        yield from _object_rows(route)
        yield from _body_rows(route, expected)
        yield from (_fault_row(route, fault, expected) for fault in expected.faults)
        yield Row(route, "unknown route", 404, suffix="/nothing/here")
    yield from _method_rows()


def _socket_rows(route: str) -> Iterator[Row]:
    yield from (Row(route, f"{who} credentials", 403, who=who) for who in ("no", "wrong", "expired", "two"))
    yield Row(route, "unknown version", 403, query="vsn=3.0.0")
    yield from (Row(route, "wrong method", 400, method=method) for method in METHODS if method != "GET")


def _credential_rows(route: str, expected: Expected) -> Iterator[Row]:
    unauthorised = {
        Access.USER: ("no", "wrong", "expired", "revoked"),
        Access.SIGNED: ("no", "wrong", "expired", "used"),
    }
    for who in unauthorised.get(expected.access, ()):
        yield Row(route, f"{who} credentials", 401, who=who)
        if expected.body is not None:
            yield Row(route, f"{who} credentials, unreadable body", 401, who=who, content=b"{")
    if expected.access is Access.SIGNED:
        yield Row(route, "somebody else's credentials", 403, who="somebody else's")
        if not route.endswith(FOR_NOBODY):
            yield Row(route, "nobody's credentials", 401, who="nobody's")
        if not route.endswith("/stream"):
            yield Row(route, "not acceptable", 406, headers={"accept": "text/html"})


def _object_rows(route: str) -> Iterator[Row]:
    for name, statuses in NOBODYS.items():
        if f"{{{name}" in route and not ROUTES[route].any_object:
            yield from (Row(route, f"{which} object", status, which=which) for which, status in statuses.items())
    if any(f"{{{name}}}" in route for name in ("worker_id", "run_id", "authorization_id")):
        yield Row(route, "control character", 400, which="control character")
    if "{version}" in route:
        yield Row(route, "unknown version", 404, which="unknown version")
    if "{token_id:int}" in route:
        yield Row(route, "not a number", 404, which="not a number")


def _body_rows(route: str, expected: Expected) -> Iterator[Row]:
    if expected.body is None:
        return
    invalid = _status(422, expected)
    yield from (Row(route, "malformed body", invalid, content=content) for content in (*MALFORMED, *NOT_OBJECTS))
    yield Row(route, "unsupported media type", invalid, content=b"<a>1</a>", media="application/xml")
    yield Row(route, "oversized body", 413, content=TOO_LARGE)
    for path in _paths(expected.body):
        if path not in expected.free:
            content = _with(expected.body, path, _wrongly_typed)
            yield Row(route, "wrong type", invalid, content=content, errors=frozenset({path}))
    for path in expected.needed:
        yield Row(route, "missing field", invalid, content=_with(expected.body, path, None), errors=frozenset({path}))


def _fault_row(route: str, fault: Fault, expected: Expected) -> Row:
    content = fault.body if isinstance(fault.body, bytes | None) else json.dumps(fault.body).encode()
    status = _status(fault.status, expected)
    return Row(route, fault.name, status, which=fault.which, content=content, query=fault.query, errors=fault.errors)


def _method_rows() -> Iterator[Row]:
    by_path: dict[str, list[str]] = {}
    for route, expected in ROUTES.items():
        if expected.access is not Access.SOCKET:
            by_path.setdefault(route.partition(" ")[2], []).append(route)
    for path, routes in by_path.items():
        taken = {route.partition(" ")[0] for route in routes}
        yield from (
            Row(routes[0], "wrong method", 405, method=method)
            for method in METHODS
            if method not in taken and (method, path) != ("DELETE", "/api/tokens/current")
        )


def _status(public: int, expected: Expected) -> int:
    return 400 if public == 422 and expected.access is Access.SIGNED else public


def _paths(value: Any, above: str = "") -> Iterator[str]:
    """Dotted paths of everything in a body but what lies within the empty and the free."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, inner in items:
        path = f"{above}{name}"
        yield path
        yield from _paths(inner, f"{path}.")


def _with(body: Any, path: str, change: Callable[[Any], Any] | None) -> bytes:
    """The body with one field changed, or without it."""
    whole = copy.deepcopy(body)
    *above, last = [int(part) if part.isdecimal() else part for part in path.split(".")]
    place: Any = whole
    for part in above:
        place = place[part]
    if change is None:
        del place[last]
    else:
        place[last] = change(place[last])
    return json.dumps(whole).encode()


def _wrongly_typed(value: Any) -> Any:
    return 5 if isinstance(value, str) else "x"


# --- making the requests -------------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Cast:
    """Somebody with objects of their own, somebody else's, and credentials of all kinds."""

    http: httpx.AsyncClient
    somebody: Caller
    paths: Mapping[str, dict[str, str]]
    tokens: Mapping[str, str]
    socket_tokens: Mapping[str, list[str]]

    async def send(self, row: Row) -> httpx.Response:
        expected = row.expected
        path = row.path
        for name, value in (self.paths["own"] | self.paths[row.which]).items():
            path = path.replace(name, value)
        content = row.content
        if content is None and expected.body is not None:
            content = json.dumps(expected.body).replace(NEW, uuid.uuid4().hex).encode()
        headers = {"content-type": row.media} if content is not None and row.method is None else {}
        query = expected.query if row.query is None else row.query
        bound = bound_by(path, query, content)
        headers |= {**expected.headers, **row.headers, **await self._credentials(expected.access, row.who, bound)}
        if expected.access is Access.SOCKET:
            query = "&".join([query, *(f"token={token}" for token in self.socket_tokens[row.who])])
        method = row.method or row.route.partition(" ")[0].replace("SOCKET", "GET")
        self.http.cookies.clear()
        return await self.http.request(method, f"{path}{row.suffix}?{query}", content=content, headers=headers)

    async def _credentials(self, access: Access, who: str, bound: dict[str, str]) -> dict[str, str]:
        match access, who:
            case (Access.ANYBODY | Access.SOCKET | Access.REGISTRY, _) | (_, "no"):
                return {}
            case Access.USER, _:
                return {"authorization": f"Bearer {self.tokens[who]}"}
        user_id = self.somebody.user_id
        if who == "nobody's":
            return {HEADER: signed_token(**bound)}
        return {HEADER: await self._signed(who, user_id, bound), "x-oa-user-id": str(user_id)}

    async def _signed(self, who: str, user_id: int, bound: dict[str, Any]) -> str:
        match who:
            case "wrong":
                return signed_token("another key", user_id=user_id, **bound)
            case "expired":
                return signed_token(user_id=user_id, iat=1_700_000_000, exp=1_700_000_060, **bound)
            case "somebody else's":
                return signed_token(user_id=user_id + 1, **bound)
        token = signed_token(user_id=user_id, **bound)
        if who == "used":
            headers = {HEADER: token, "x-oa-user-id": str(user_id)}
            assert (await self.http.get("/internal/v1/health", headers=headers)).status_code == 200
        return token


def bound_by(path: str, query: str, content: bytes | None) -> dict[str, Any]:
    """What a token says that is meant for this request (runtime §2.2)."""
    try:
        document = json.loads(content or b"{}")
    except (ValueError, RecursionError):
        document = {}
    said = (document if isinstance(document, dict) else {}) | dict(parse_qsl(query))
    if found := re.search("/runs/([^/]+)/", path):
        said["run_id"] = unquote(found[1])
    return {name: said[name] for name in ("run_id", "thread_id") if isinstance(said.get(name), str)}


async def cast_of(http: httpx.AsyncClient, somebody: Caller, other: Caller) -> Cast:
    workers = "/runtime/codex/workers"
    for caller, worker_id in ((somebody, "w:own"), (somebody, "w:stopped"), (other, "w:theirs")):
        (await caller.public("POST", workers, json={"worker_id": worker_id})).raise_for_status()
    (await somebody.public("POST", f"{workers}/w:stopped/stop")).raise_for_status()
    for caller in (somebody, other):
        run = RunCalls(caller, f"run-{caller.user_id}", THREAD)
        (await run.create()).raise_for_status()
        (await run.frame("f:known", "note")).raise_for_status()
        await held_by(SpendCalls(caller, f"auth-{caller.user_id}", "run_spend"))
    (webhook, browser), (their_webhook, their_browser) = [await outlets_of(caller) for caller in (somebody, other)]
    expired = await _new_token(somebody, expires_at="2020-01-01T00:00:00Z")
    revoked = await _new_token(somebody)
    (await somebody.public("DELETE", f"/tokens/{revoked.partition('|')[0]}")).raise_for_status()
    socket_token = (await somebody.public("POST", "/sync/token")).json()["data"]["token"]
    return Cast(
        http,
        somebody,
        {
            "own": {
                "{worker_id}": "w:own",
                "{run_id}": f"run-{somebody.user_id}",
                "{authorization_id}": f"auth-{somebody.user_id}",
                "{token_id:int}": somebody.bearer.partition("|")[0],
                "{webhook_id:int}": webhook,
                "{subscription_id:int}": browser,
                "{subject}": SCHEMA.subject,
                "{version}": str(SCHEMA.version),
                "{id}": str(SCHEMA.id),
                "{digest}": "0",
                "{name:path}": "api.js",
            },
            "unknown": {
                "{worker_id}": "w:nobody",
                "{run_id}": "run-nobody",
                "{authorization_id}": "auth-nobody",
                **dict.fromkeys(("{token_id:int}", "{webhook_id:int}", "{subscription_id:int}"), "999999999"),
                "{subject}": "nobodys-value",
                "{id}": "999999999",
            },
            "stopped": {"{worker_id}": "w:stopped"},
            "control character": {"{worker_id}": "w%00x", "{run_id}": "r%00x", "{authorization_id}": "a%00x"},
            "unknown version": {"{version}": "99999"},
            "somebody else's": {
                "{worker_id}": "w:theirs",
                "{run_id}": f"run-{other.user_id}",
                "{authorization_id}": f"auth-{other.user_id}",
                "{token_id:int}": other.bearer.partition("|")[0],
                "{webhook_id:int}": their_webhook,
                "{subscription_id:int}": their_browser,
            },
            "not a number": {"{token_id:int}": "seven"},
        },
        {"somebody": somebody.bearer, "wrong": "1|" + "x" * 48, "expired": expired, "revoked": revoked},
        {
            "somebody": [socket_token],
            "no": [],
            "wrong": [socket_token[:-2]],
            "expired": [_expired_socket_token(somebody)],
            "two": [socket_token] * 2,
        },
    )


async def held_by(spend: SpendCalls) -> None:
    """What tests/routes.py knows: 100 sats, 5 of them held, 5 spent, 5 given back."""
    if (await spend.authorize(max_total_sats=100)).raise_for_status().status_code == 200:
        return
    for tool_call_id in ("tc:known", "tc:committed", "tc:released"):
        (await spend.reserve(tool_call_id, 5)).raise_for_status()
    (await spend.settle("commit", "tc:committed")).raise_for_status()
    (await spend.settle("release", "tc:released")).raise_for_status()


async def outlets_of(caller: Caller) -> tuple[str, str]:
    """A webhook and a browser that push reaches."""
    webhooks = (await caller.public("GET", "/webhooks")).json()["data"]
    if not webhooks:
        webhooks = [(await caller.public("POST", "/webhooks", json=NEW_WEBHOOK.body)).json()["data"]]
    browser = {**BROWSER, "endpoint": f"https://push.lane.test/of-{caller.user_id}"}
    allowed = (await caller.public("POST", "/push-subscriptions", json=browser)).json()["data"]
    return str(webhooks[0]["id"]), str(allowed["id"])


async def _new_token(caller: Caller, **fields: Any) -> str:
    token: str = (await caller.public("POST", "/tokens", json={"name": "t"} | fields)).json()["data"]["token"]
    return token


def _expired_socket_token(caller: Caller) -> str:
    settings, long_ago = SETTINGS.auth.sync_token, datetime(2020, 1, 1, tzinfo=UTC)
    return mint(settings, caller.user_id, settings.allowed_scopes, long_ago, "jti", {}).token


def wrong_about(row: Row, answer: httpx.Response) -> str | None:
    if answer.status_code != row.status:
        return f"{answer.status_code} instead of {row.status}: {answer.text[:200]}"
    if row.expected.access is Access.SOCKET:
        return None
    body = answer.json()
    if row.expected.access is Access.REGISTRY:
        is_registrys = str(body["error_code"]).startswith(str(row.status)) and body["message"]
        return None if is_registrys else f"registry: {body}"
    if row.expected.access is Access.SIGNED:
        return None if body["error"]["code"] == CODES[row.status] and body["error"]["message"] else f"signed: {body}"
    if row.status == 422:
        keys = frozenset(body["errors"])
        return None if body["message"] and row.errors in (None, keys) else f"rules of {set(keys)}, not {row.errors}"
    if row.status == 405 and not answer.headers["allow"]:
        return "no Allow"
    return None if "message" in body or body["error"]["code"] == CODES[row.status] else f"public: {body}"


async def written(pool: "Pool[Any]") -> list[Any]:
    tables = ["users", "personal_tokens", "outlets", "sign_in_codes", "dev_mailbox"]
    tables += ["commands", "events", "log_head", "streams"]
    return [
        await pool.fetchval(f"select md5(string_agg(t::text, ' ' order by t::text)) from {table} t") for table in tables
    ]


# --- the tests -----------------------------------------------------------------------------------------------------


@pytest.fixture
async def here(pool: "Pool[Any]") -> AsyncIterator[Node]:
    async with node(pool, counter=Unlimited()) as running:
        yield running


async def test_every_route_of_the_app_is_in_the_table(here: Node) -> None:
    routes = here.edge.app.routes
    mounted = {
        f"{method} {route.path}" for route in routes if isinstance(route, Route) for method in route.methods or ()
    }
    mounted |= {f"SOCKET {route.path}" for route in routes if isinstance(route, WebSocketRoute)}
    assert {route for route in mounted if not route.startswith("HEAD ")} == set(ROUTES), "add it to tests/routes.py"


async def test_every_fault_gets_its_error_and_writes_nothing(
    here: Node, pool: "Pool[Any]", capsys: pytest.CaptureFixture[str]
) -> None:
    cast = await cast_of(here.http, here.ada, here.bob)
    await pool.execute("update personal_tokens set last_used_at = now() + interval '1 day'")  # stamped once a minute
    before, wrong, faults = await written(pool), [], Counter[str]()
    for row in rows():
        faults[row.fault] += 1
        if reason := wrong_about(row, await cast.send(row)):
            wrong.append((row.route, row.fault, (row.content or b"")[:60], reason))
    with capsys.disabled():
        print(f"\n{faults.total()} rows of route × fault: {len(ROUTES)} routes, {len(faults)} kinds of fault")
    assert wrong == []
    assert await written(pool) == before


@pytest.mark.parametrize("redis", ["there is none", "lost"])
async def test_a_good_request_is_answered_with_and_without_redis(pool: "Pool[Any]", redis: str) -> None:
    """What changes something is asked by a user of its own."""
    async with AsyncExitStack() as stack:
        client = Redis.from_url("redis://127.0.0.1:1")
        stack.push_async_callback(client.aclose)
        counter = SpareCounter(RedisCounter(client), Unlimited()) if redis == "lost" else Unlimited()
        running = await stack.enter_async_context(node(pool, counter=counter))
        wrong = []
        cast = await cast_of(running.http, running.ada, running.bob)
        for number, route in enumerate(ROUTES):
            asking = cast
            if not route.startswith(("GET", "SOCKET")):
                eve = await sign_in(running.http, f"eve-{number}-{len(redis)}@lane.test")
                asking = await cast_of(running.http, eve, running.bob)
            answer = await asking.send(Row(route, "none", ROUTES[route].good))
            if answer.status_code != ROUTES[route].good:
                wrong.append((route, answer.status_code, answer.text[:200]))
        assert wrong == []


async def test_too_many_attempts(pool: "Pool[Any]") -> None:
    """The window in which the cast signed in is over."""
    for route, expected in ROUTES.items():
        if expected.a_minute is not None:
            minutes = [0.0]
            counter = MemoryCounter(lambda minutes=minutes: 60 * minutes[0])  # type: ignore[misc]
            async with node(pool, counter=counter) as running:
                cast = await cast_of(running.http, running.ada, running.bob)
                minutes[0] += 1
                *earlier, last = [await cast.send(Row(route, "attempts", 0)) for _ in range(expected.a_minute + 1)]
            assert 429 not in [answer.status_code for answer in earlier]
            assert (last.status_code, last.json()) == (429, {"message": "Too Many Attempts."})
            assert int(last.headers["retry-after"]) > 0


PROBES = ("GET /livez", "GET /readyz", "GET /metrics")
OPERATORS = ("/system", "/api/system", "/static/")


async def test_while_the_log_is_suspended(here: Node, pool: "Pool[Any]") -> None:
    """ADR 11: as in maintenance all but the probes is a 503; readiness says why, and so does what operators see."""
    cast = await cast_of(here.http, here.ada, here.bob)
    await suspend(pool, "a test says so")
    try:
        await until_shut(cast)
        answers = {route: (await cast.send(Row(route, "suspended", 0))).status_code for route in ROUTES}
        assert "a test says so" in (await here.http.get("/readyz")).text
        seen = await here.http.get("/runs", headers={"accept": "text/html"})
        assert (seen.status_code, "This cannot be shown now" in seen.text) == (503, True), "people are not shown JSON"
    finally:
        await pool.execute("update log_head set suspended = null")
    alive = dict.fromkeys(PROBES, 200) | {"GET /readyz": 503}
    open_to_operators = {route: ROUTES[route].good for route in ROUTES if route.split(" ")[1].startswith(OPERATORS)}
    assert answers == dict.fromkeys(ROUTES, 503) | alive | open_to_operators


async def until_shut(cast: Cast) -> None:
    """The node looks at the log once a second."""
    async with asyncio.timeout(10):
        while (await cast.send(Row("GET /api/me", "suspended", 0))).status_code != 503:  # noqa: ASYNC110
            await asyncio.sleep(0.05)


class Stoppable(NamedTuple):
    dsn: str
    stop: Callable[[], None]


@pytest.fixture
def own_postgres() -> Iterator[Stoppable]:
    with ExitStack() as stack:
        server = stack.enter_context(services.postgres_server())
        yield Stoppable(server.dsn(services.TEMPLATE), stack.close)


async def test_without_postgres(own_postgres: Stoppable) -> None:
    """It is stopped under a running edge."""
    async with open_pool(own_postgres.dsn) as pool, node(pool, counter=Unlimited()) as running:
        cast = await cast_of(running.http, running.ada, running.bob)
        await asyncio.to_thread(own_postgres.stop)
        answers = {route: (await cast.send(Row(route, "no Postgres", 0))).status_code for route in ROUTES}
    assert answers == {route: _without_postgres(route, expected) for route, expected in ROUTES.items()}


def _without_postgres(route: str, expected: Expected) -> int:
    is_public_worker = " /api/runtime/codex/" in route
    return expected.without_postgres or (502 if is_public_worker else 503)
