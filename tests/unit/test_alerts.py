"""Alert rules and dashboard: they speak of metrics we have, every rule fires when it should, and is explained."""

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests import debian
from tests.alerting import MINUTES, OBSERVABILITY, OURS, RULES, SAMPLES, SUFFIX, Rule, rules
from tests.declared_metrics import FORBIDDEN, ROOT, Metric, declared, table
from tests.promtool import Promtool, promtool

Say = Callable[[str], None]
RUNBOOK = (ROOT / "docs" / "operators.md").read_text(encoding="utf-8")
NAMES = sorted(rules())
BY = re.compile(r"\bby \(([\w, ]*)\)")
MATCHER = re.compile(r"(\w+)\s*(?:=~|!~|!=|=)\s*\"")
OF_PROMETHEUS = {"le", "job", "instance"}


@pytest.fixture(scope="module")
def tool() -> Promtool | str:
    """Or why there is none."""
    try:
        return promtool()
    except debian.Missing as missing:
        return str(missing)


@pytest.fixture
def prometheus(tool: Promtool | str) -> Promtool:
    if isinstance(tool, str):
        pytest.skip(tool)
    return tool


@pytest.fixture(scope="module")
def panels() -> list[dict[str, Any]]:
    told: list[dict[str, Any]] = json.loads((OBSERVABILITY / "dashboard.json").read_text(encoding="utf-8"))["panels"]
    return told


def known() -> dict[str, Metric]:
    """What we declare, and what is promised."""
    metrics, to_come, _ = table()
    return declared() | {name: metrics[name] for name in to_come}


def named(expr: str) -> set[str]:
    """The metrics of ours that an expression speaks of, as they were declared."""
    found = set(OURS.findall(expr))
    return {name if name in known() else SUFFIX.sub("", name) for name in found}


def labels(expr: str) -> set[str]:
    grouped = {label for group in BY.findall(expr) for label in group.split(", ")}
    return (grouped | set(MATCHER.findall(expr))) - OF_PROMETHEUS


def expressions(panels: list[dict[str, Any]]) -> Iterator[str]:
    yield from (rule.expr for rule in rules().values())
    yield from (target["expr"] for panel in panels for target in panel["targets"])


def test_every_alert_of_the_contract_is_there() -> None:
    """runtime §9: name, how long, severity."""
    assert {(rule.name, rule.duration, rule.severity) for rule in rules().values()} >= {
        ("ExecutorLatencyP95High", "10m", "warning"),
        ("Http5xxRateHigh", "10m", "warning"),
        ("StreamDoneRatioLow", "15m", "warning"),
        ("LeaseStealRateHigh", "10m", "warning"),
        ("ToolFailureSpike", "10m", "warning"),
        ("CircuitBreakerOpen", "5m", "critical"),
        ("PolicyDenialAnomaly", "10m", "warning"),
        ("ProjectionLagP95High", "10m", "warning"),
        ("ProjectionWriteFailureRatioHigh", "10m", "critical"),
        ("ProjectionDriftIncidentsHigh", "5m", "warning"),
        ("ProjectionReplayFailures", "5m", "critical"),
        ("TokenMintFailureRatioHigh", "15m", "warning"),
    }


def test_rules_and_panels_speak_of_metrics_and_labels_that_are_declared(panels: list[dict[str, Any]]) -> None:
    for expr in expressions(panels):
        metrics = {name: known()[name] for name in named(expr)}
        assert metrics or "up{" in expr, expr
        assert labels(expr) <= {label for metric in metrics.values() for label in metric.labels}, expr
        assert not labels(expr) & FORBIDDEN


@pytest.mark.parametrize("name", NAMES)
def test_every_alert_has_a_runbook_of_three_lines(name: str) -> None:
    """runtime §9: what it means, where to look, what to do."""
    assert rules()[name].annotations["runbook_url"] == f"docs/operators.md#{name.lower()}"
    _, _, after = RUNBOOK.partition(f"\n### {name}\n\n")
    lines = after.partition("\n\n")[0].splitlines()
    assert [line.split(":")[0] for line in lines] == ["- means", "- look", "- do"]


def test_every_alert_has_a_panel_of_what_it_compares(panels: list[dict[str, Any]]) -> None:
    """runtime §9: one panel an alert, and projection writes per second."""
    shown = {panel["title"]: panel for panel in panels}
    assert set(shown) == {*NAMES, "Projection writes per second"}
    for rule in rules().values():
        panel = shown[rule.name]
        assert panel["targets"][0]["expr"] == rule.measured
        assert rule.threshold in [step["value"] for step in panel["fieldConfig"]["defaults"]["thresholds"]["steps"]]


def test_the_dashboard_can_be_imported(panels: list[dict[str, Any]]) -> None:
    """Ids once, nothing above another, each asks the data source that is chosen on import."""
    places = [panel["gridPos"] for panel in panels]
    cells = [
        (x, y) for at in places for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])
    ]
    assert len(cells) == len(set(cells))
    assert max(x for x, _ in cells) < 24
    assert len({panel["id"] for panel in panels}) == len(panels)
    assert {panel["datasource"]["uid"] for panel in panels} == {"${datasource}"}


def test_every_rule_has_samples_that_it_fires_on() -> None:
    assert sorted(SAMPLES) == NAMES


def test_prometheus_takes_the_rules(tool: Promtool | str, say: Say) -> None:
    if isinstance(tool, str):
        say(f"left out, whether the alert rules fire: {tool}")
        pytest.skip(tool)
    done = tool.run("check", "rules", str(RULES), folder=ROOT)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(NAMES)} rules found" in done.stdout


@pytest.mark.parametrize("name", NAMES)
def test_a_rule_fires_on_what_it_is_for_and_not_on_a_healthy_day(
    name: str, prometheus: Promtool, tmp_path: Path
) -> None:
    samples, rule = SAMPLES[name], rules()[name]
    tests = [_test(rule, samples.firing, [_fired(rule)]), _test(rule, samples.healthy, [])]
    (tmp_path / "tests.yml").write_text(yaml.safe_dump({"rule_files": [str(RULES)], "tests": tests}))
    done = prometheus.run("test", "rules", "tests.yml", folder=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr


def _test(rule: Rule, series: Any, alerts: list[Any]) -> dict[str, Any]:
    return {
        "interval": "1m",
        "input_series": [{"series": name, "values": values} for name, values in series.items()],
        "alert_rule_test": [{"eval_time": f"{MINUTES}m", "alertname": rule.name, "exp_alerts": alerts}],
    }


def _fired(rule: Rule) -> dict[str, Any]:
    told = {"severity": rule.severity, **SAMPLES[rule.name].labels}
    return {"exp_labels": told, "exp_annotations": rule.annotations}
