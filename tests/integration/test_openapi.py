"""Whatever is sent to the signed API, nothing breaks and every refusal is the contract's (runtime §2.1–2.3, DEC-18–20).

What is sent is made by schemathesis of the document at /openapi.json: requests that fit it, and requests that do not.
"""

import asyncio
import json
from collections import Counter
from collections.abc import Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import Case, GenerationMode

from edge.auth.request_token import HEADER
from ops.database import open_pool
from schemas.amounts import MAX_SATS
from tests.account_app import Unlimited
from tests.nodes import Caller, Node, node, signed_token
from tests.routes import ROUTES, THREAD, Access
from tests.spend_calls import SpendCalls

QUICK: Final = settings(
    max_examples=15,
    derandomize=True,  # so that what fits and is accepted is so in every run
    deadline=None,
    database=None,
    phases=[Phase.generate],  # to make a failure smaller takes minutes here
    suppress_health_check=list(HealthCheck),
)
OWN: Final = {"worker_id": "w:own", "run_id": "run:own", "authorization_id": "auth:own"}
"""What is there already; half of the generated paths name it."""
HOLDS: Final = {
    operation: {"run_id": OWN["run_id"], "tool_call_id": f"tc:{operation}"}
    for operation in ("commit", "release", "reconcile-required")
}
CODES: Final = {
    **dict.fromkeys((400, 405, 406, 413), "invalid_request"),
    401: "unauthorized",
    403: "forbidden",
    404: "not_found",
    409: "conflict",
    410: "stale_cursor",
}
SIGNED: Final = sorted(route for route, expected in ROUTES.items() if expected.access is Access.SIGNED)


class Answer(NamedTuple):
    status: int
    text: str


@dataclass(frozen=True)
class Service:
    """A real edge, spoken to by somebody who has the secret; tests are synchronous because hypothesis' are."""

    runner: asyncio.Runner
    node: Node

    def document(self) -> dict[str, Any]:
        answer = self.runner.run(self.node.http.get("/openapi.json"))
        document: dict[str, Any] = answer.json()
        return document

    def send(self, case: "Case[Any]") -> Answer:
        prepared = requests.Request(**case.as_transport_kwargs(base_url=self.node.url)).prepare()
        headers = {name: str(value) for name, value in (prepared.headers or {}).items() if name.lower() in KEPT_HEADERS}
        user_id = self.node.ada.user_id
        headers |= {HEADER: signed_token(user_id=user_id, **bound(case)), "x-oa-user-id": str(user_id)}
        url = str(prepared.url)
        return self.runner.run(self._answer(case.method.upper(), url, prepared.body, headers))

    async def _answer(self, method: str, url: str, body: Any, headers: dict[str, str]) -> Answer:
        """Of an event stream only that it was opened."""
        async with self.node.http.stream(method, url, content=body, headers=headers) as answer:
            if answer.headers["content-type"].startswith("text/event-stream"):
                return Answer(answer.status_code, "")
            await answer.aread()
            return Answer(answer.status_code, answer.text)


KEPT_HEADERS: Final = ("content-type", "last-event-id")


def bound(case: "Case[Any]") -> dict[str, str]:
    """What the token has to say, because the request does (runtime §2.2)."""
    body = case.body if isinstance(case.body, dict) else {}
    told = {**body, **(case.query or {}), **(case.path_parameters or {})}
    return {name: told[name] for name in ("run_id", "thread_id") if isinstance(told.get(name), str)}


def name_own(case: "Case[Any]") -> None:
    """Ask for what is there, for runs in their thread, and for a hold of each operation."""
    case.path_parameters = {name: OWN.get(name, value) for name, value in (case.path_parameters or {}).items()}
    for place in (case.query, case.body):
        if isinstance(place, dict) and "run_id" in case.path_parameters:
            place["thread_id"] = THREAD
    if isinstance(case.body, dict) and (hold := HOLDS.get(case.path.rpartition("/")[2])):
        case.body |= hold


@pytest.fixture(scope="module")
def service(database: str) -> Iterator[Service]:
    with asyncio.Runner() as runner:
        stack = AsyncExitStack()
        running = runner.run(_started(stack, database))
        try:
            yield Service(runner, running)
        finally:
            runner.run(stack.aclose())


async def _started(stack: AsyncExitStack, database: str) -> Node:
    pool = await stack.enter_async_context(open_pool(database))
    return await stack.enter_async_context(node(pool, counter=Unlimited()))


async def _owning(caller: Caller) -> None:
    """What one test has stopped goes on in the next."""
    (await caller.signed("POST", "/codex/workers", json={"worker_id": OWN["worker_id"]})).raise_for_status()
    run = {"run_id": OWN["run_id"], "thread_id": THREAD}
    (await caller.signed("POST", "/runs", json=run, claims=run)).raise_for_status()
    spend = SpendCalls(caller, OWN["authorization_id"], OWN["run_id"])
    (await spend.authorize()).raise_for_status()
    for hold in HOLDS.values():
        assert (await spend.reserve(hold["tool_call_id"], MAX_SATS)).status_code in (202, 200, 409)


def test_the_document_tells_of_every_signed_route(service: Service) -> None:
    paths = service.document()["paths"]
    assert sorted(f"{method.upper()} {path}" for path, methods in paths.items() for method in methods) == SIGNED


def test_the_document_has_what_each_route_needs(service: Service) -> None:
    """Every body that tests/routes.py says a route reads, with the fields it needs."""
    document = service.document()
    for route in SIGNED:
        method, path = route.split()
        told = document["paths"][path][method.lower()]
        assert ("requestBody" in told) == (ROUTES[route].body is not None), route
        if ROUTES[route].body is not None:
            [name] = told["requestBody"]["content"]["application/json"]["schema"]["$ref"].rsplit("/", 1)[-1:]
            schema = document["components"]["schemas"][name]
            needed = {field.partition(".")[0] for field in ROUTES[route].needed}
            assert needed <= set(schema["properties"]), route


@pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda mode: mode.value)
@pytest.mark.parametrize("route", SIGNED)
def test_nothing_breaks_and_every_refusal_is_the_contracts(service: Service, route: str, mode: GenerationMode) -> None:
    method, path = route.split()
    operation = schemathesis.openapi.from_dict(service.document())[path][method]
    service.runner.run(_owning(service.node.ada))
    seen = Counter[int]()

    @QUICK
    @given(case=operation.as_strategy(generation_mode=mode))
    def sends(case: "Case[Any]") -> None:
        if seen.total() % 2 == 0:
            name_own(case)
        answer = service.send(case)
        seen[answer.status] += 1
        assert wrong_about(answer) is None, case.as_curl_command()

    sends()
    assert mode is GenerationMode.NEGATIVE or min(seen) < 300, "nothing that fits the document was accepted"


def wrong_about(answer: Answer) -> str | None:
    if answer.status < 300:
        return None
    error = json.loads(answer.text)["error"]
    is_contracts = error["code"] == CODES.get(answer.status) and error["message"]
    return None if is_contracts else f"{answer.status}: {answer.text[:200]}"


@pytest.mark.parametrize(
    ("answer", "is_wrong"),
    [
        (Answer(200, ""), False),
        (Answer(409, '{"error":{"code":"conflict","message":"m"}}'), False),
        (Answer(409, '{"error":{"code":"not_found","message":"m"}}'), True),
        (Answer(400, '{"error":{"code":"invalid_request","message":""}}'), True),
        (Answer(500, '{"error":{"code":"internal_error","message":"m"}}'), True),
        (Answer(503, '{"error":{"code":"internal_error","message":"m"}}'), True),
    ],
)
def test_what_is_wrong_about_an_answer(answer: Answer, is_wrong: bool) -> None:
    assert (wrong_about(answer) is not None) == is_wrong
