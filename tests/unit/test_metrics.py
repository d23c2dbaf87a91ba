"""What may be on `/metrics`: the names, kinds and labels of runtime §9, and never an id."""

import ast
from pathlib import Path

from tests.declared_metrics import FORBIDDEN, PREFIX, ROOMS, ROOT, declared, table

TYPES = {"Counter", "Gauge", "Histogram", "Summary", "Info", "Enum"}


def test_what_bears_the_prefix_is_as_the_contract_has_it() -> None:
    """runtime §9: names, kinds and labels."""
    found = {name: metric for name, metric in declared().items() if name.startswith(PREFIX)}
    assert found == {name: table().metrics.get(name) for name in found}


def test_what_nobody_declares_is_told_once_and_with_a_reason() -> None:
    """runtime §9: whoever declares a metric takes it off the list."""
    metrics, to_come, left_out = table()
    assert set(to_come) | set(left_out) == set(metrics) - set(declared())
    assert not set(to_come) & set(left_out)


def test_no_label_is_called_like_an_id() -> None:
    """runtime §9."""
    assert {name: metric for name, metric in declared().items() if FORBIDDEN & set(metric.labels)} == {}


def test_metrics_are_declared_in_modules_of_that_name_only() -> None:
    sources = [path for room in ROOMS for path in (ROOT / room).rglob("*.py") if "node_modules" not in path.parts]
    declaring = {path.relative_to(ROOT).as_posix() for path in sources if _imported(path) & TYPES}
    assert {name for name in declaring if not name.endswith("/metrics.py")} == set()
    assert "producers/metrics.py" in declaring


def _imported(path: Path) -> set[str]:
    """What a module takes from the library of metrics."""
    imports = (
        node for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, ast.ImportFrom)
    )
    return {alias.name for node in imports if node.module == "prometheus_client" for alias in node.names}
