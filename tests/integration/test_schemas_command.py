"""`oa schemas push`: every released schema into another registry, under its own id (docs/adr/0006)."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner, Result

from ops.commands import schemas
from schemas.registry import registry
from tests.fake_registry import FakeRegistry, serving

ENTRY = registry()[0]
SUBJECTS = list(dict.fromkeys(entry.subject for entry in registry()))
IDS = {subject: {entry.version: entry.id for entry in registry() if entry.subject == subject} for subject in SUBJECTS}
BY_ID = sorted(registry(), key=lambda entry: entry.id)
OTHER = '{"type":"string"}'


@pytest.fixture
def fake() -> FakeRegistry:
    return FakeRegistry()


@pytest.fixture
async def url(fake: FakeRegistry) -> AsyncIterator[str]:
    async with serving(fake) as address:
        yield address


async def run(*arguments: str, **environment: str) -> Result:
    app = typer.Typer()
    schemas.register(app)
    return await asyncio.to_thread(CliRunner().invoke, app, ["schemas", *arguments], env=environment)


def told(done: str) -> str:
    return "".join(f"{done}  id {entry.id}  {entry.subject} version {entry.version}\n" for entry in BY_ID)


async def test_schemas_are_copied_with_their_ids(fake: FakeRegistry, url: str, tmp_path: Path) -> None:
    result = await run("push", url, "--data", str(tmp_path))
    assert (result.exit_code, result.output) == (0, told("copied"))
    assert fake.subjects == IDS
    assert json.loads(fake.schemas[1]) == json.loads(ENTRY.text())
    assert fake.levels == dict.fromkeys(SUBJECTS, "BACKWARD_TRANSITIVE")


async def test_import_mode_ends_with_the_copy(fake: FakeRegistry, url: str, tmp_path: Path) -> None:
    await run("push", url, "--data", str(tmp_path))
    switched = [(f"PUT /mode/{entry.subject}", f"DELETE /mode/{entry.subject}") for entry in BY_ID]
    assert fake.requests == [request for pair in switched for request in pair]
    assert fake.modes == {}


async def test_what_is_there_already_is_left_alone(fake: FakeRegistry, url: str, tmp_path: Path) -> None:
    await run("push", url, "--data", str(tmp_path))
    fake.requests.clear()
    result = await run("push", url, "--data", str(tmp_path))
    assert (result.exit_code, result.output) == (0, told("there "))
    assert fake.requests == []


async def test_subjects_begin_as_their_topics_do(fake: FakeRegistry, url: str, tmp_path: Path) -> None:
    await run("push", url, "--data", str(tmp_path), OA_KAFKA_TOPIC_PREFIX="blue.")
    assert list(fake.subjects) == [f"blue.{subject}" for subject in SUBJECTS]


async def test_an_id_that_somebody_else_has_is_not_taken(fake: FakeRegistry, url: str, tmp_path: Path) -> None:
    fake.schemas[1] = OTHER
    result = await run("push", url, "--data", str(tmp_path))
    assert result.exit_code == 1
    assert "Overwrite new schema with id 1 is not permitted" in result.stderr
    assert fake.modes == {}


async def test_a_subject_that_somebody_else_has_is_not_touched(fake: FakeRegistry, url: str, tmp_path: Path) -> None:
    fake.schemas[7], fake.subjects["oa.workers-value"] = OTHER, {1: 7}
    result = await run("push", url, "--data", str(tmp_path))
    assert result.exit_code == 1
    assert "oa.workers-value version 1 is another schema there, with the id 7" in result.stderr
    assert fake.subjects["oa.workers-value"] == {1: 7}


async def test_an_empty_registry_without_modes_counts_to_the_same_ids(
    fake: FakeRegistry, url: str, tmp_path: Path
) -> None:
    fake.may_import = False
    result = await run("push", url, "--data", str(tmp_path))
    assert (result.exit_code, fake.subjects) == (0, IDS)


async def test_other_ids_are_an_error_that_says_why(fake: FakeRegistry, url: str, tmp_path: Path) -> None:
    fake.may_import, fake.schemas[1] = False, OTHER
    result = await run("push", url, "--data", str(tmp_path))
    assert result.exit_code == 1
    assert "got the id 2, but its values carry 1" in result.stderr


async def test_a_registry_that_does_not_answer_is_named(tmp_path: Path) -> None:
    result = await run("push", "http://127.0.0.1:9", "--data", str(tmp_path))
    assert result.exit_code == 1
    assert "127.0.0.1:9/ does not answer" in result.stderr


async def test_what_was_released_is_listed(tmp_path: Path) -> None:
    result = await run("list", "--json", "--data", str(tmp_path))
    listed: list[dict[str, Any]] = json.loads(result.output)
    assert listed[0] == {"id": 1, "subject": "oa.workers-value", "version": 1, "type": "AVRO"}
    assert len(listed) == len(registry())
