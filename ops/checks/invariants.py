"""Proves that docs/invariants.md, the tests that claim an invariant and `make mutate-invariants` speak of the same."""

import ast
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from ops.mutation.invariants import Mutation, mutations

ROOT: Final = Path(__file__).parents[2]
DOCUMENT: Final = ROOT / "docs" / "invariants.md"
INVARIANTS: Final = tuple(f"I{number}" for number in range(1, 11))
LATER: Final = frozenset({"I7"})
"""Comes with the runtime."""
_SECTION: Final = re.compile(r"^## (I\d+)\n(.*?)(?=^## |\Z)", re.MULTILINE | re.DOTALL)
_PROTECTION: Final = re.compile(r"^- `([\w/.]+)`: `(?:`` )?(.+?)(?: ``)?`(?:\s|$)", re.MULTILINE)
_TEST: Final = re.compile(r"^- `(tests/[\w/]+\.py::\w+)`", re.MULTILINE)


class Section(NamedTuple):
    """What the document says about one invariant: protecting lines by file, and node ids of tests."""

    protections: list[tuple[str, str]]
    tests: list[str]


def sections(text: str) -> dict[str, Section]:
    return {name: Section(_PROTECTION.findall(body), _TEST.findall(body)) for name, body in _SECTION.findall(text)}


def claims(tests: Path = ROOT / "tests") -> dict[str, set[str]]:
    """Node ids by the invariant that their marker names."""
    found: dict[str, set[str]] = {}
    for path in sorted(tests.rglob("test_*.py")):
        for function, names in _marked(ast.parse(path.read_text(encoding="utf-8"))):
            for name in names:
                found.setdefault(name, set()).add(f"tests/{path.relative_to(tests).as_posix()}::{function}")
    return found


def _marked(module: ast.Module) -> Iterator[tuple[str, list[str]]]:
    for node in module.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            calls = [mark for mark in node.decorator_list if isinstance(mark, ast.Call)]
            marks = [call for call in calls if ast.unparse(call.func) == "pytest.mark.invariant"]
            yield node.name, [ast.literal_eval(argument) for mark in marks for argument in mark.args]


def problems(
    document: Mapping[str, Section], claimed: Mapping[str, set[str]], broken: Sequence[Mutation]
) -> Iterator[str]:
    for name in sorted((set(document) | set(claimed) | {mutation.invariant for mutation in broken}) - set(INVARIANTS)):
        yield f"there is no invariant {name}"
    for name in INVARIANTS:
        if name not in document:
            yield f"{name} is not in {DOCUMENT.name}"
        elif name not in LATER:
            mine = [mutation for mutation in broken if mutation.invariant == name]
            yield from _problems_of(name, document[name], claimed.get(name, set()), mine)


def _problems_of(name: str, section: Section, claimed: set[str], broken: Sequence[Mutation]) -> Iterator[str]:
    if not (section.protections and section.tests):
        yield f"{name} has no protecting line or no test"
    for test in sorted(set(section.tests) - claimed):
        yield f"{name} names {test}, which does not exist or does not claim it"
    for test in sorted(claimed - set(section.tests)):
        yield f"{test} claims {name}, which does not name it"
    for file, line in section.protections:
        if line not in _text(file):
            yield f"{name}: {file} does not have: {line}"
        if not any(_takes_away(mutation, file, line) for mutation in broken):
            yield f"{name}: no mutation takes away {file}: {line}"
    for mutation in broken:
        if mutation.test not in section.tests:
            yield f"{name} is mutated for {mutation.test}, which it does not name"
        if not any(_takes_away(mutation, *protection) for protection in section.protections):
            yield f"{name} does not name what this takes away: {mutation.what}"


def _takes_away(mutation: Mutation, file: str, line: str) -> bool:
    return mutation.edits[0].file == file and line in mutation.edits[0].old


def _text(file: str) -> str:
    path = ROOT / file
    return path.read_text(encoding="utf-8") if path.is_file() else ""


def main() -> int:
    document, claimed = sections(DOCUMENT.read_text(encoding="utf-8")), claims()
    wrong = list(problems(document, claimed, mutations()))
    for problem in wrong:
        print(problem)
    lines, tests = sum(len(one.protections) for one in document.values()), set().union(*claimed.values())
    print(f"invariants: {len(document)} sections, {lines} protecting lines, {len(tests)} tests, {len(wrong)} problems")
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
