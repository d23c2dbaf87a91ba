"""Tells which sections of the runtime contract, and which of its decisions, no test names (see sections.toml)."""

import ast
import io
import re
import sys
import tokenize
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final, NamedTuple

ROOT: Final = Path(__file__).parents[2]
CONTRACT: Final = ROOT / "docs" / "contract" / "runtime.md"
PROMISED: Final = Path(__file__).with_suffix(".toml")
_HEADING: Final = re.compile(r"^#{2,3} (\d+(?:\.\d+)?)\.? (.+)$", re.MULTILINE)
_DECISION: Final = re.compile(r"^\| (\d+)(?: †)? \| .+ \| (.+) \|$", re.MULTILINE)
_NUMBER: Final = r"\d+(?:\.\d+)?"
_AND: Final = r"(?:,\s(?:and\s)?|\sand\s)"
_REFERENCE: Final = re.compile(
    rf"""(?P<contract>\b(?:runtime|edge|sync|lightning|design|stack|style)\b)
       | §(?P<sections>{_NUMBER}(?:–{_NUMBER}|{_AND}(?:§{_NUMBER}|\d+\.\d+))*)
       | DEC-(?P<decisions>\d+(?:–\d+|{_AND}(?:DEC-)?\d+\b)*)""",
    re.VERBOSE | re.IGNORECASE,
)


class Promised(NamedTuple):
    """As `runtime §2.10` and `DEC-21`; `later` are those that nobody has built yet."""

    names: list[str]
    later: list[str]


def promised(text: str) -> Promised:
    listed = tomllib.loads(text)
    sections, decisions = listed["sections"], listed["decisions"]
    return Promised([*(f"runtime §{name}" for name in sections), *(f"DEC-{row}" for row in decisions)], listed["later"])


def titles(contract: str) -> dict[str, str]:
    """What the contract calls its sections and decides in its rows."""
    return {
        **{f"runtime §{number}": title for number, title in _HEADING.findall(contract)},
        **{f"DEC-{number}": decided for number, decided in _DECISION.findall(contract)},
    }


def named(prose: str) -> Iterator[str]:
    """What a docstring or comment names; a section is of the contract that was named last before it."""
    contract = ""
    for found in _REFERENCE.finditer(prose):
        if found["contract"]:
            contract = found["contract"].lower()
        elif found["decisions"]:
            yield from (f"DEC-{number}" for number in _each(found["decisions"].replace("DEC-", "")))
        elif contract == "runtime":
            yield from (f"runtime §{number}" for number in _each(found["sections"].replace("§", "")))


def _each(numbers: str) -> Iterator[str]:
    """`2.5, 2.13–2.18`, one by one."""
    for part in re.split(_AND, numbers):
        first, _, last = part.partition("–")
        above, _, start = first.rpartition(".")
        end = last.rpartition(".")[2] or start
        yield from (f"{above}.{number}".lstrip(".") for number in range(int(start), int(end) + 1))


def prose(source: str) -> Iterator[str]:
    """Docstrings and comments of a test file."""
    kinds = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    yield from (ast.get_docstring(node) or "" for node in ast.walk(ast.parse(source)) if isinstance(node, kinds))
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    yield from (token.string for token in tokens if token.type == tokenize.COMMENT)


def named_by_tests(tests: Path = ROOT / "tests") -> dict[str, set[str]]:
    """Test files by what they name."""
    found: dict[str, set[str]] = {}
    for path in sorted(tests.rglob("test_*.py")):
        for text in prose(path.read_text(encoding="utf-8")):
            for name in named(text):
                found.setdefault(name, set()).add(path.name)
    return found


def problems(promises: Promised, known: Mapping[str, str], tested: Mapping[str, set[str]]) -> Iterator[str]:
    for name in promises.names:
        if name not in known:
            yield f"the contract has no {name}"
        elif name not in tested and name not in promises.later:
            yield f"no test names {name}: {known[name]}"
    yield from (f"{name} is not among what is promised" for name in promises.later if name not in promises.names)


def main() -> int:
    promises, tested = promised(PROMISED.read_text(encoding="utf-8")), named_by_tests()
    wrong = list(problems(promises, titles(CONTRACT.read_text(encoding="utf-8")), tested))
    for problem in wrong:
        print(problem)
    missing = [name for name in promises.later if name not in tested]
    print(f"sections: {len(promises.names)} promised, {len(wrong)} problems; later: {', '.join(missing) or 'none'}")
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
