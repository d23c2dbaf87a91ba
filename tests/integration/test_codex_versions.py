"""Both versions of Codex still say what was recorded of them, and mean by their older family what our table says."""

import json
import os
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from oa_client.worker.installation import environment, native, sandbox_works
from oa_client.worker.legacy import MODERN_TWINS

from ops.stub_model.app import build
from tests.codex_scenes import PINNED, SCENES, VERSIONS, Version, play, read
from tests.fake_edge import serving_app
from tests.services import free_port

SOMETIMES = {"configWarning", "item/commandExecution/outputDelta", "turn/diff/updated", "account/rateLimits/updated"}
"""Said or not by how fast a command is, or by what is installed on the machine."""


def needs(version: Version) -> pytest.MarkDecorator:
    reason = f"no Codex {version.number}: run `make {version.target}`"
    return pytest.mark.skipif(not version.launcher.exists(), reason=reason)


@pytest.fixture
async def stub_url() -> AsyncIterator[str]:
    async with serving_app(build(), free_port()) as stub:
        yield f"{stub}/v1"


every_version = pytest.mark.parametrize(
    "version", [pytest.param(version, marks=needs(version), id=version.number) for version in VERSIONS]
)


@every_version
async def test_the_binary_itself_is_found_and_can_confine_a_command(version: Version, tmp_path: Path) -> None:
    binary = native(version.launcher)
    assert binary.name == "codex"
    assert await sandbox_works(binary, environment(os.environ, tmp_path, binary))


@pytest.mark.parametrize("scene", SCENES)
@every_version
async def test_a_scene_is_played_with_the_recorded_methods(
    version: Version, scene: str, stub_url: str, tmp_path: Path
) -> None:
    said = {message["method"] for message in await play(SCENES[scene], version, stub_url, tmp_path)}
    recorded = {message["method"] for message in read(version.recorded / f"{scene}.jsonl")}
    assert said - SOMETIMES == recorded - SOMETIMES


def methods(schema: Path) -> set[str]:
    """The `method` of every message that a generated schema knows."""
    return {one["properties"]["method"]["enum"][0] for one in json.loads(schema.read_text())["oneOf"]}


@needs(PINNED)
def test_the_older_family_and_its_twins_are_what_codex_calls_them(tmp_path: Path) -> None:
    command = [str(native(PINNED.launcher)), "app-server", "generate-json-schema", "--out", str(tmp_path)]
    subprocess.run(command, check=True, capture_output=True, timeout=60)
    modern = methods(tmp_path / "ServerNotification.json") | methods(tmp_path / "ServerRequest.json")
    event = json.loads((tmp_path / "EventMsg.json").read_text())
    older = {one["properties"]["type"]["enum"][0] for one in event["oneOf"]}
    assert set(MODERN_TWINS.values()) <= modern
    assert set(MODERN_TWINS) <= older
