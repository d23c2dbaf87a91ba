"""The registry that the edge serves, and one that ours was copied to, answer alike (docs/data-engineers.md).

What is asked and answered is the read part of Confluent's Schema Registry API; the client is Confluent's own.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import Any

import asyncpg
import httpx
import pytest
from confluent_kafka.schema_registry import Schema, SchemaRegistryClient
from confluent_kafka.schema_registry.error import SchemaRegistryError

from ops.registries import Registry
from schemas.registry import published, registry, versions
from tests import fake_registry, nodes
from tests.fake_registry import FakeRegistry

MEDIA_TYPE = "application/vnd.schemaregistry.v1+json"
PREFIX = "blue."
SUBJECT = f"{PREFIX}oa.workers-value"
ENTRY, *_, NEWEST = versions("oa.workers-value", registry())
VERSIONS = [entry.version for entry in versions("oa.workers-value", registry())]
SUBJECTS = sorted({entry.subject for entry in published(PREFIX)})


async def the_edge(stack: AsyncExitStack, pool: "asyncpg.Pool[Any]") -> str:
    settings = replace(nodes.SETTINGS, topic_prefix=PREFIX)
    node = await stack.enter_async_context(nodes.node(pool, settings))
    return f"{node.url}/registry"


async def a_copy(stack: AsyncExitStack, pool: "asyncpg.Pool[Any]") -> str:
    url = await stack.enter_async_context(fake_registry.serving(FakeRegistry()))
    await asyncio.to_thread(push, url)
    return url


def push(url: str) -> None:
    with Registry(url) as copy:
        list(copy.push(published(PREFIX)))


@pytest.fixture(params=[the_edge, a_copy], ids=["edge", "copy"])
async def url(request: pytest.FixtureRequest, pool: "asyncpg.Pool[Any]") -> AsyncIterator[str]:
    async with AsyncExitStack() as stack:
        yield await request.param(stack, pool)


@pytest.fixture
async def edge_url(pool: "asyncpg.Pool[Any]") -> AsyncIterator[str]:
    async with AsyncExitStack() as stack:
        yield await the_edge(stack, pool)


async def ask(url: str, path: str, method: str = "GET", **options: Any) -> httpx.Response:
    async with httpx.AsyncClient() as http:
        return await http.request(method, url + path, **options)


async def test_schemas_are_found_by_id(url: str) -> None:
    answer = await ask(url, f"/schemas/ids/{ENTRY.id}")
    assert answer.headers["content-type"] == MEDIA_TYPE
    assert answer.json() == {"schema": ENTRY.text()}
    assert (await ask(url, f"/schemas/ids/{ENTRY.id}/schema")).text == ENTRY.text()
    versions = await ask(url, f"/schemas/ids/{ENTRY.id}/versions")
    assert versions.json() == [{"subject": SUBJECT, "version": ENTRY.version}]


async def test_schemas_are_found_by_subject(url: str) -> None:
    described = {"subject": SUBJECT, "version": 1, "id": 1, "schema": ENTRY.text()}
    assert (await ask(url, "/subjects")).json() == SUBJECTS
    assert (await ask(url, f"/subjects/{SUBJECT}/versions")).json() == VERSIONS
    assert (await ask(url, f"/subjects/{SUBJECT}/versions/1")).json() == described
    assert (await ask(url, f"/subjects/{SUBJECT}/versions/1/schema")).text == ENTRY.text()
    for name in ("latest", "-1"):
        newest = (await ask(url, f"/subjects/{SUBJECT}/versions/{name}")).json()
        assert newest == {"subject": SUBJECT, "version": NEWEST.version, "id": NEWEST.id, "schema": NEWEST.text()}


async def test_a_schema_is_found_by_its_text(url: str) -> None:
    body = {"schema": json.dumps(json.loads(ENTRY.text()), indent=1), "schemaType": "AVRO"}
    answer = await ask(url, f"/subjects/{SUBJECT}", "POST", json=body, headers={"content-type": MEDIA_TYPE})
    assert answer.json() == {"subject": SUBJECT, "version": 1, "id": 1, "schema": ENTRY.text()}


async def test_the_registry_tells_what_it_is(url: str) -> None:
    assert (await ask(url, "/")).json() == {}
    assert "AVRO" in (await ask(url, "/schemas/types")).json()
    assert (await ask(url, "/config")).json()["compatibilityLevel"].startswith("BACKWARD")


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/schemas/ids/999", 40403),
        ("/schemas/ids/x", 40403),
        ("/subjects/nothing-value/versions", 40401),
        ("/subjects/nothing-value/versions/1", 40401),
        ("/subjects/nothing-value/versions/latest", 40401),
        (f"/subjects/{SUBJECT}/versions/99", 40402),
        (f"/subjects/{SUBJECT}/versions/0", 42202),
        (f"/subjects/{SUBJECT}/versions/new", 42202),
        (f"/subjects/{SUBJECT}/versions/99/schema", 40402),
    ],
)
async def test_what_is_not_there_is_told_by_code(url: str, path: str, code: int) -> None:
    answer = await ask(url, path)
    assert (answer.status_code, answer.json()["error_code"]) == (code // 100, code)
    assert answer.headers["content-type"] == MEDIA_TYPE


@pytest.mark.parametrize(("subject", "code"), [("nothing-value", 40401), (SUBJECT, 40403)])
async def test_an_unknown_text_is_told_by_code(url: str, subject: str, code: int) -> None:
    answer = await ask(url, f"/subjects/{subject}", "POST", json={"schema": '"string"'})
    assert (answer.status_code, answer.json()["error_code"]) == (404, code)


async def with_client(url: str, work: Callable[[SchemaRegistryClient], None]) -> None:
    with SchemaRegistryClient({"url": url}) as client:
        await asyncio.to_thread(work, client)


async def test_confluents_client_finds_schemas(url: str) -> None:
    def look(client: SchemaRegistryClient) -> None:
        schema = client.get_schema(1, subject_name=SUBJECT)
        assert (schema.schema_str, schema.schema_type) == (ENTRY.text(), "AVRO")
        assert client.get_subjects() == SUBJECTS
        assert client.get_versions(SUBJECT) == VERSIONS
        assert client.get_latest_version(SUBJECT).schema_id == NEWEST.id
        assert client.get_version(SUBJECT, 1).schema.schema_str == ENTRY.text()
        assert client.lookup_schema(SUBJECT, Schema(ENTRY.text(), "AVRO")).version == 1
        assert client.get_compatibility().startswith("BACKWARD")

    await with_client(url, look)


async def test_confluents_client_is_told_what_is_missing(url: str) -> None:
    def look(client: SchemaRegistryClient) -> None:
        for ask_for, code in (
            (lambda: client.get_schema(999), 40403),
            (lambda: client.get_latest_version("nothing-value"), 40401),
            (lambda: client.get_version(SUBJECT, 9), 40402),
        ):
            with pytest.raises(SchemaRegistryError) as refused:
                ask_for()
            assert refused.value.error_code == code

    await with_client(url, look)


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("POST", f"/subjects/{SUBJECT}/versions", 422, 42205),
        ("DELETE", f"/subjects/{SUBJECT}", 405, 405),
        ("GET", "/nothing", 404, 404),
        ("GET", f"/config/{SUBJECT}", 404, 40408),
    ],
)
async def test_the_edge_refuses_in_the_registrys_words(
    edge_url: str, method: str, path: str, status: int, code: int
) -> None:
    answer = await ask(edge_url, path, method)
    assert (answer.status_code, answer.json()["error_code"]) == (status, code)
    assert answer.headers["content-type"] == MEDIA_TYPE


@pytest.mark.parametrize(
    "body", [b"{", b"[]", b'{"schema":5}', b'{"schema":"{"}', b'{"schema":"%b"}' % (b"[" * 100_000)]
)
async def test_what_is_no_schema_is_refused(edge_url: str, body: bytes) -> None:
    answer = await ask(edge_url, f"/subjects/{SUBJECT}", "POST", content=body)
    assert (answer.status_code, answer.json()["error_code"]) == (422, 42201)


async def test_the_edge_tells_its_mode_and_level(edge_url: str) -> None:
    assert (await ask(edge_url, "/mode")).json() == {"mode": "READONLY"}
    assert (await ask(edge_url, "/config")).json() == {"compatibilityLevel": "BACKWARD_TRANSITIVE"}
    level = await ask(edge_url, f"/config/{SUBJECT}?defaultToGlobal=true")
    assert level.json() == {"compatibilityLevel": "BACKWARD_TRANSITIVE"}


async def test_confluents_client_cannot_register_at_the_edge(edge_url: str) -> None:
    def register(client: SchemaRegistryClient) -> None:
        with pytest.raises(SchemaRegistryError) as refused:
            client.register_schema(SUBJECT, Schema('"string"', "AVRO"))
        assert refused.value.error_code == 42205

    await with_client(edge_url, register)
