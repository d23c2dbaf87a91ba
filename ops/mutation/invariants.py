"""`make mutate-invariants`: without its protecting line every invariant of docs/invariants.md fails its test."""

import queue
import sys
import tomllib
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Final, NamedTuple

from rich.console import Console
from rich.table import Table

from ops.mutation.trees import Edit, Result, Tree, Verdict, copied

PROTECTIONS: Final = Path(__file__).with_name("protections.toml")
_TREES: Final = 2
_SHOWN: Final = {
    Result.FAILED: "[green]killed[/]",
    Result.PASSED: "[red]survived[/]",
    Result.BROKEN: "[red]not run[/]",
}


class Mutation(NamedTuple):
    """The first edit replaces the protecting line; others take away a second protection behind it."""

    invariant: str
    what: str
    test: str
    edits: tuple[Edit, ...]


def mutations() -> list[Mutation]:
    tables = tomllib.loads(PROTECTIONS.read_text(encoding="utf-8"))["mutation"]
    return [
        Mutation(table["invariant"], table["what"], table["test"], tuple(map(_edit, [table, *table.get("also", ())])))
        for table in tables
    ]


def _edit(table: Mapping[str, str]) -> Edit:
    return Edit(table["file"], table["old"], table["new"])


def main(names: Sequence[str]) -> int:
    """Of all invariants or of the named ones; 1 when a test fails on the whole tree, or passes on a broken one."""
    wanted = [mutation for mutation in mutations() if not names or mutation.invariant in names]
    screen = Console(width=150 if not sys.stdout.isatty() else None)
    with ExitStack() as stack:
        trees = [stack.enter_context(copied()) for _ in range(_TREES)]
        whole = trees[0].run(sorted({mutation.test for mutation in wanted}))
        if whole.result is not Result.PASSED:
            screen.print(f"[red]the tests fail on the tree as it is[/]\n{whole.output}", markup=False)
            return 1
        verdicts = _verdicts(trees, wanted)
    screen.print(_table(verdicts))
    missed = [mutation for mutation, verdict in verdicts if verdict.result is not Result.FAILED]
    for mutation, verdict in verdicts:
        if verdict.result is Result.BROKEN:
            screen.print(f"{mutation.invariant} {mutation.what}:\n{verdict.output[-2000:]}", markup=False)
    screen.print(f"{len(verdicts) - len(missed)} of {len(verdicts)} mutations killed; unbroken, every test passes")
    return bool(missed)


def _verdicts(trees: Sequence[Tree], mutations: Sequence[Mutation]) -> list[tuple[Mutation, Verdict]]:
    free: queue.SimpleQueue[Tree] = queue.SimpleQueue()
    for tree in trees:
        free.put(tree)

    def judge(mutation: Mutation) -> tuple[Mutation, Verdict]:
        tree = free.get()
        try:
            with tree.edited(mutation.edits):
                return mutation, tree.run([mutation.test])
        finally:
            free.put(tree)

    with ThreadPoolExecutor(len(trees)) as threads:
        return list(threads.map(judge, mutations))


def _table(verdicts: Sequence[tuple[Mutation, Verdict]]) -> Table:
    table = Table("", "mutation", "test", "")
    for mutation, verdict in verdicts:
        table.add_row(mutation.invariant, mutation.what, mutation.test.rpartition("/")[2], _SHOWN[verdict.result])
    return table


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
