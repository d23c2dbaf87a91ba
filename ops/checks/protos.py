"""Buf's word on the protos: their style, and that nothing of the released baseline was taken away or changed."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
BUF = ROOT / "ops" / "buf" / "node_modules" / ".bin" / "buf"
MISSING = "protos: skipped buf lint and buf breaking: there is no buf, which `make buf` installs where npm is"


def complaints(proto: Path) -> list[str]:
    """Buf's own lines, with file and place."""
    commands = (["lint", "."], ["breaking", ".", "--against", "baseline"])
    return [line for command in commands for line in _buf(proto, command)]


def _buf(proto: Path, command: list[str]) -> list[str]:
    done = subprocess.run([BUF, *command], cwd=proto, capture_output=True, text=True, timeout=60)
    lines = done.stdout.splitlines() + done.stderr.splitlines()
    return lines or ([f"buf {command[0]} ended with {done.returncode}"] if done.returncode else [])


def main() -> int:
    if not BUF.exists():
        print(MISSING)
        return 0
    found = complaints(ROOT / "proto")
    for line in found:
        print(line)
    print(f"protos: {len(found)} complaints of buf lint and buf breaking")
    return bool(found)


if __name__ == "__main__":
    sys.exit(main())
