"""Proves that every module which docs/architecture.md names exists."""

import re
import sys
from importlib.util import find_spec
from pathlib import Path

DOCUMENT = Path(__file__).parents[2] / "docs" / "architecture.md"
ROOMS = ("schemas", "producers", "readmodels", "processors", "edge", "ops", "oa_client")
_NAME = re.compile(rf"`((?:{'|'.join(ROOMS)})(?:\.\w+)*)`")


def named(text: str) -> list[str]:
    return sorted(set(_NAME.findall(text)))


def missing(names: list[str]) -> list[str]:
    return [name for name in names if not _exists(name)]


def _exists(name: str) -> bool:
    try:
        return find_spec(name) is not None
    except ModuleNotFoundError:
        return False


def main() -> int:
    names = named(DOCUMENT.read_text(encoding="utf-8"))
    lost = missing(names)
    for name in lost:
        print(f"{DOCUMENT.name} names {name}, which does not exist")
    print(f"architecture: {len(names) - len(lost)} of {len(names)} named modules exist")
    return bool(lost)


if __name__ == "__main__":
    sys.exit(main())
