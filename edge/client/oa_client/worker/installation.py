"""Where Codex is, which configuration it runs with, and whether its sandbox works here."""

import asyncio
import shutil
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

_BINARIES = ("codex/codex", "bin/codex")
_TOOLS = ("path", "codex-path")
"""Where 0.104 and newer versions keep their binary and the tools they bring, below one folder."""


def find_codex(configured: Path | None, package: Path) -> Path:
    """The configured binary, else the one on PATH, else the one npm installed below `package`."""
    if configured is not None:
        if not configured.is_file():
            raise NoCodex(f"{configured} is not there: correct OA_CODEX_BIN or unset it")
        return native(configured)
    on_path = shutil.which("codex")
    installed = Path(on_path) if on_path else package / "node_modules" / ".bin" / "codex"
    if not installed.exists():
        raise NoCodex(f"no Codex: run `npm ci --ignore-scripts` in {package}, or set OA_CODEX_BIN")
    return native(installed)


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
    (codex_home / "config.toml").write_text(_STUB_CONFIG.format(url=stub_url.rstrip("/")), encoding="utf-8")


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
