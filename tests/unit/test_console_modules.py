"""The console's modules that need no page, tested where they are written: by Node."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

TESTS = Path(__file__).parent / "console"
ROOT = Path(__file__).parents[2]
MODULES = ROOT / "edge" / "console" / "static"
RECORDED = ROOT / "tests" / "vectors" / "codex"

pytestmark = pytest.mark.skipif(shutil.which("node") is None, reason="no Node.js")


@pytest.mark.parametrize("name", sorted(path.name for path in TESTS.glob("*.test.mjs")))
def test_modules(name: str, tmp_path: Path) -> None:
    """Outside of the house, so that Node takes every `.js` for a module."""
    shutil.copytree(MODULES, tmp_path / "static")
    shutil.copytree(TESTS, tmp_path, dirs_exist_ok=True)
    (tmp_path / "package.json").write_text('{"type": "module"}')
    ran = subprocess.run(
        ["node", "--experimental-vm-modules", "--no-warnings", "--test", name],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "OA_CODEX_VECTORS": str(RECORDED)},
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
