"""The client as a distribution of its own: what it needs, what it brings, and what importing it costs."""

import email
import json
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

CLIENT = Path(__file__).parents[2] / "edge" / "client"
NEEDED = {"httpx", "msgspec", "rich", "typer", "websockets"}
OF_THE_BACKEND = {"aiokafka", "asyncpg", "faust", "openagents", "pydantic", "redis", "starlette", "uvicorn"}
OF_THE_ROOMS = {"schemas", "producers", "readmodels", "processors", "edge", "ops"}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    shutil.copytree(CLIENT, folder / "client", ignore=shutil.ignore_patterns("*.egg-info", "build", "__pycache__"))
    command = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation", "--no-index"]
    subprocess.run([*command, "-w", str(folder), str(folder / "client")], check=True, capture_output=True, timeout=120)
    [built] = folder.glob("*.whl")
    return built


def test_it_needs_five_packages_and_none_of_the_backend(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        [name] = [name for name in archive.namelist() if name.endswith("/METADATA")]
        metadata = email.message_from_bytes(archive.read(name))
    needed = {re.split(r"[<>=!~;\[ ]", line)[0] for line in metadata.get_all("Requires-Dist", [])}
    assert needed == NEEDED


def test_it_brings_every_file_that_it_reads(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        brought = {name for name in archive.namelist() if name.startswith("oa_client/")}
    kept = [path for path in (CLIENT / "oa_client").rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    assert brought == {path.relative_to(CLIENT).as_posix() for path in kept}


@pytest.fixture(scope="module")
def installed(wheel: Path) -> Path:
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(wheel.with_name("installed"))
    return wheel.with_name("installed")


def imported_by(installed: Path, statement: str) -> set[str]:
    """The top-level modules that are there after the statement."""
    first = f"import json, sys; sys.path.insert(0, {str(installed)!r})"
    script = f"{first}; {statement}; print(json.dumps(sorted(sys.modules)))"
    ended = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True, timeout=60)
    modules = json.loads(ended.stdout)
    return {name.partition(".")[0] for name in modules}


@pytest.mark.parametrize("statement", ["import oa_client", "from oa_client.cli import build; build('worker')"])
def test_importing_it_imports_nothing_of_the_backend(installed: Path, statement: str) -> None:
    assert not imported_by(installed, statement) & (OF_THE_BACKEND | OF_THE_ROOMS)


def test_the_library_alone_does_without_the_command_s_packages(installed: Path) -> None:
    assert "typer" not in imported_by(installed, "import oa_client")
