"""What `make mutate` has found: by module, how many mutants the tests killed; below the goal it fails."""

import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.table import Table

GOAL: Final = 0.8
_KILLED: Final = frozenset({"killed", "timeout", "suspicious", "segfault"})


def statuses(results: str) -> dict[str, Counter[str]]:
    """How many mutants of each module ended how, from the lines of `mutmut results --all true`."""
    found: dict[str, Counter[str]] = {}
    for line in results.splitlines():
        name, _, status = line.strip().rpartition(": ")
        if "__mutmut_" in name:
            module = name.rpartition(".")[0]
            found.setdefault(module, Counter())[status] += 1
    return found


def killed(ended: Counter[str]) -> int:
    return sum(ended[status] for status in _KILLED)


def main() -> int:
    """1 below the goal, or when nothing was tried. A mutant that no test reaches counts as survived."""
    command = [str(Path(sys.executable).with_name("mutmut")), "results", "--all", "true"]
    found = statuses(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    table = Table("module", "mutants", "killed", "score")
    for module, ended in sorted(found.items()):
        table.add_row(module, str(ended.total()), str(killed(ended)), f"{killed(ended) / ended.total():.0%}")
    everything = sum(found.values(), Counter[str]())
    score = killed(everything) / max(everything.total(), 1)
    screen = Console()
    screen.print(table)
    screen.print(f"{killed(everything)} of {everything.total()} mutants killed: {score:.1%} (goal {GOAL:.0%})")
    return score < GOAL


if __name__ == "__main__":
    sys.exit(main())
