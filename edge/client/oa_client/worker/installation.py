"""Where Codex is, which configuration it runs with, and whether its sandbox works here."""

import asyncio
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from oa_client.errors import NoCodex

_STUB_CONFIG = """\
model = "stub-model"
model_provider = "stub"

[model_providers.stub]
name = "stub"
base_url = "{url}"
wire_api = "responses"
requires_openai_auth = false
request_max_retries = 1
stream_max_retries = 1
"""

_OURS = "OA_"
_PINNED = Path(__file__).with_name("pinned")

_BINARIES = ("codex/codex", "bin/codex")
_TOOLS = ("path", "codex-path")
"""Where 0.104 and newer versions keep their binary and the tools they bring, below one folder."""


def find_codex(configured: Path | None, *packages: Path) -> Path:
    """The configured binary, else the one on PATH, else the first that npm installed below one of `packages`."""
    if configured is not None:
        if not configured.is_file():
            raise NoCodex(f"{configured} is not there: correct OA_CODEX_BIN or unset it")
        return native(configured)
    if on_path := shutil.which("codex"):
        return native(Path(on_path))
    for launcher in map(_launcher, packages):
        if launcher.exists():
            return native(launcher)
    raise NoCodex("no Codex: `oa worker install` gets the one this worker is tested with; or set OA_CODEX_BIN")


def install_codex(folder: Path) -> Path:
    """The pinned version, checked by npm against the digests that our lock file has. Raises NoCodex."""
    npm = shutil.which("npm")
    if npm is None:
        raise NoCodex(
            "no npm: install Node.js with npm by your system's package manager, and come back; or set OA_CODEX_BIN"
        )
    folder.mkdir(parents=True, exist_ok=True)
    for pinned in _PINNED.iterdir():
        shutil.copyfile(pinned, folder / pinned.name)
    ended = subprocess.run([npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"], cwd=folder, check=False)
    if ended.returncode:
        raise NoCodex(f"npm could not install Codex into {folder} (status {ended.returncode}); what it said is above")
    return native(_launcher(folder))


def _launcher(package: Path) -> Path:
    return package / "node_modules" / ".bin" / "codex"


def native(launcher: Path) -> Path:
    """The binary behind npm's JavaScript launcher (it would be one more process to end), else the launcher itself."""
    script = launcher.resolve()
    if script.suffix != ".js":
        return script
    package = script.parents[1]
    folders = [*package.glob("vendor/*"), *package.parent.glob("codex-*/vendor/*")]
    candidates = [binary for folder in folders for binary in map(folder.joinpath, _BINARIES) if binary.exists()]
    return candidates[0] if len(candidates) == 1 else script


def environment(inherited: Mapping[str, str], codex_home: Path, binary: Path) -> dict[str, str]:
    """What Codex and the commands it runs may see: not our own settings and secrets."""
    visible = {name: value for name, value in inherited.items() if not name.startswith(_OURS)}
    tools = [str(folder) for folder in map(binary.parent.parent.joinpath, _TOOLS) if folder.is_dir()]
    return visible | {"CODEX_HOME": str(codex_home), "PATH": ":".join([*tools, visible.get("PATH", "")])}


def has_account(codex_home: Path) -> bool:
    """Whether somebody signed in with `codex login` here."""
    return (codex_home / "auth.json").is_file()


def write_stub_profile(codex_home: Path, stub_url: str) -> None:
    """A Codex home of its own that knows only the stub model (STACK §7)."""
    codex_home.mkdir(parents=True, exist_ok=True)
    aside = codex_home / f"config.{os.getpid()}"
    aside.write_text(_STUB_CONFIG.format(url=stub_url.rstrip("/")), encoding="utf-8")
    aside.replace(codex_home / "config.toml")


async def sandbox_works(binary: Path, codex_environment: Mapping[str, str]) -> bool:
    """Whether Codex can confine a command here; kernels and containers without Landlock or seccomp refuse."""
    kind = "macos" if sys.platform == "darwin" else "linux"
    in_any_version = (("--", "true"), (kind, "--full-auto", "true"))
    return any([await _succeeds(binary, "sandbox", *words, env=codex_environment) for words in in_any_version])


async def _succeeds(binary: Path, *words: str, env: Mapping[str, str]) -> bool:
    nowhere = asyncio.subprocess.DEVNULL
    process = await asyncio.create_subprocess_exec(
        str(binary), *words, env=env, stdin=nowhere, stdout=nowhere, stderr=nowhere
    )
    return await process.wait() == 0
