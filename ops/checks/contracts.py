"""Proves that what is generated is what the protos say, and that released schemas stay and get on (docs/adr/0006)."""

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from schemas.generate import descriptors, outputs, releases
from schemas.registry import FILE, Registered, entries_of, lost_entries

_REGISTRY = f"schemas/{FILE}"
_NO_PROTOC = "contracts: skipped whether the generated files are what the protos say: no protos or no grpcio-tools here"
_NO_HISTORY = "contracts: skipped whether released ids are as they were: git cannot read this folder's history"

History = Sequence[tuple[Registered, ...]]


def problems(root: Path) -> Iterator[str]:
    """Changed schemas without an id, and those that do not get on with what was released."""
    for subject in releases.unreleased(root):
        yield f"{subject} has changed and has no id: run `make release-contracts`"
    yield from releases.incompatibilities(root)


def rewritten(root: Path, history: History) -> list[str]:
    """What some commit had released and the registry does not have any more as it was."""
    now = entries_of(json.loads((root / _REGISTRY).read_text(encoding="utf-8")))
    lost = dict.fromkeys(entry for earlier in history for entry in lost_entries(earlier, now))
    return [f"{entry.subject} version {entry.version}, id {entry.id}, was released and is changed" for entry in lost]


def history(root: Path) -> History | None:
    """The registry in each commit that changed it; None where there is no git that can tell."""
    try:
        commits = _git(root, "log", "--format=%H", "--diff-filter=AM", "--", _REGISTRY).split()
    except (OSError, subprocess.CalledProcessError):
        return None
    return [entries_of(json.loads(_git(root, "show", f"{commit}:{_REGISTRY}"))) for commit in commits]


def _git(root: Path, *arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=root, check=True, capture_output=True, text=True).stdout


def main() -> int:
    found = list(problems(outputs.ROOT))
    if descriptors.readable():
        found += outputs.differences(outputs.outputs())
    else:
        print(_NO_PROTOC)
    if (earlier := history(outputs.ROOT)) is None:
        print(_NO_HISTORY)
    else:
        found += rewritten(outputs.ROOT, earlier)
    for problem in found:
        print(problem)
    print(f"contracts: {len(found)} differences between the protos, what is made of them and what was released")
    return bool(found)


if __name__ == "__main__":
    sys.exit(main())
