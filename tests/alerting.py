"""The alert rules, and for each the samples that make it fire and those of a healthy day."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from tests.declared_metrics import PREFIX

OBSERVABILITY = Path(__file__).parents[1] / "ops" / "observability"
RULES = OBSERVABILITY / "alerts.yml"
COMPARED = re.compile(r"(?P<of>.+) (?P<how>[<>]) (?P<to>[0-9.]+)", re.DOTALL)
SUFFIX = re.compile(r"_(total|bucket|sum|count)$")
OURS = re.compile(rf"\b(?:{PREFIX}|oa_)\w+")

Series = Mapping[str, str]
"""Values by series, a minute apart, in promtool's notation."""

VIEW = 'projection="worker_summaries"'
KHALA = f"{PREFIX}khala_projection_"
FLAT = "0x60"
MINUTES = 45
"""When it is looked: every rule has had its time."""


class Rule(NamedTuple):
    name: str
    expr: str
    duration: str
    severity: str
    annotations: dict[str, str]

    @property
    def measured(self) -> str:
        """What is compared with the threshold."""
        found = COMPARED.fullmatch(self.expr)
        assert found, f"{self.name} compares nothing with a number"
        return found["of"]

    @property
    def threshold(self) -> float:
        found = COMPARED.fullmatch(self.expr)
        assert found, self.expr
        return float(found["to"])


class Samples(NamedTuple):
    firing: Series
    healthy: Series
    labels: Mapping[str, str] = {}
    """Of the alert, besides its severity."""


def rules() -> dict[str, Rule]:
    groups = yaml.safe_load(RULES.read_text(encoding="utf-8"))["groups"]
    return {rule.name: rule for group in groups for rule in map(_rule, group["rules"])}


def _rule(told: dict[str, Any]) -> Rule:
    return Rule(told["alert"], told["expr"], told["for"], told["labels"]["severity"], told["annotations"])


def _latencies(metric: str, labels: str, *, low: str, high: str, below: int) -> dict[str, str]:
    """A histogram whose observations are `below` or less, or more."""
    return {f'{metric}_bucket{{{labels}le="{below}"}}': low, f'{metric}_bucket{{{labels}le="+Inf"}}': high}


def _ratio(metric: str, part: str, rest: str, share: int) -> Series:
    """`share` of a hundred a minute are of one kind."""
    return {f"{metric}{{{part}}}": f"0+{share}x60", f"{metric}{{{rest}}}": f"0+{100 - share}x60"}


_PASS = f"{PREFIX}executor_run_once_duration_ms"
_LAG = f"{KHALA}lag_events"
_STREAMS = (f'{PREFIX}stream_emit_count_total{{event_type="run.finished"}}', f"{PREFIX}stream_session_count_total")
_STOLEN = f'{PREFIX}lease_operation_count_total{{action="acquire", result="stolen"}}'
_TOOLS = f'{PREFIX}tool_lifecycle_count_total{{state="timed_out"}}'
_BREAKER = f'{PREFIX}provider_breaker_state{{provider="github", state="open"}}'
_HTTP = f"{PREFIX}http_request_count_total"
_POLICY = f"{PREFIX}policy_decision_count_total"
_FAILED = (f"{KHALA}write_failure_count_total{{{VIEW}}}", f"{KHALA}write_count_total{{{VIEW}}}")
_DRIFT = f"{KHALA}drift_count_total{{{VIEW}}}"
_REPLAY = f'{KHALA}replay_count_total{{scope="partition", result="error"}}'
_MINTS = "oa_token_mints_total"
_UP = 'up{job="oa-edge", instance="edge"}'
_PARKED = 'oa_projection_parked_documents{view="worker_summaries"}'
_WAITED = 'oa_projection_lag_seconds{view="worker_summaries"}'
_REACTIONS = 'oa_reactions_failed_total{consumer="executor.frames"}'
_OF_VIEW = {"projection": "worker_summaries"}

SAMPLES: Mapping[str, Samples] = {
    "ExecutorLatencyP95High": Samples(
        _latencies(_PASS, "", low="0+90x60", high="0+100x60", below=5000)
        | {f'{_PASS}_bucket{{le="30000"}}': "0+100x60"},
        _latencies(_PASS, "", low="0+96x60", high="0+100x60", below=5000),
    ),
    "Http5xxRateHigh": Samples(
        _ratio(_HTTP, 'status_class="5xx"', 'status_class="2xx"', 3),
        _ratio(_HTTP, 'status_class="5xx"', 'status_class="2xx"', 1),
    ),
    "StreamDoneRatioLow": Samples({_STREAMS[1]: "0+100x60"}, dict(zip(_STREAMS, ("0+96x60", "0+100x60"), strict=True))),
    "LeaseStealRateHigh": Samples({_STOLEN: "0+4x60"}, {_STOLEN: "0+2x60"}),
    "ToolFailureSpike": Samples({_TOOLS: "0+13x60"}, {_TOOLS: "0+11x60"}),
    "CircuitBreakerOpen": Samples({_BREAKER: "1x60"}, {_BREAKER: FLAT}, {"provider": "github"}),
    "PolicyDenialAnomaly": Samples(
        _ratio(_POLICY, 'decision="denied"', 'decision="allowed"', 6),
        _ratio(_POLICY, 'decision="denied"', 'decision="allowed"', 4),
    ),
    "ProjectionLagP95High": Samples(
        _latencies(_LAG, f"{VIEW}, ", low="0+54x60", high="0+60x60", below=25)
        | {f'{_LAG}_bucket{{{VIEW}, le="50"}}': "0+60x60"},
        _latencies(_LAG, f"{VIEW}, ", low="0+58x60", high="0+60x60", below=25),
        _OF_VIEW,
    ),
    "ProjectionWriteFailureRatioHigh": Samples(
        dict(zip(_FAILED, ("0+2x60", "0+100x60"), strict=True)),
        dict(zip(_FAILED, ("0+1x60", "0+200x60"), strict=True)),
        _OF_VIEW,
    ),
    "ProjectionDriftIncidentsHigh": Samples({_DRIFT: "0+1x60"}, {_DRIFT: "0x40 2x20"}, _OF_VIEW),
    "ProjectionReplayFailures": Samples({_REPLAY: "0x35 1x25"}, {_REPLAY: "0x5 1x55"}, {"scope": "partition"}),
    "TokenMintFailureRatioHigh": Samples(
        _ratio(_MINTS, 'token="sync", outcome="unavailable"', 'token="sync", outcome="minted"', 2),
        {f'{_MINTS}{{token="sync", outcome="minted"}}': "0+100x60"},
        {"token": "sync"},
    ),
    "ProcessDown": Samples({_UP: "1x10 0x50"}, {_UP: "1x60"}, {"job": "oa-edge", "instance": "edge"}),
    "LogSuspended": Samples({"oa_log_suspended": "1x60"}, {"oa_log_suspended": FLAT}),
    "NoRelayLeads": Samples(
        {'oa_relay_leading{instance="a"}': FLAT, 'oa_relay_leading{instance="b"}': FLAT},
        {'oa_relay_leading{instance="a"}': FLAT, 'oa_relay_leading{instance="b"}': "1x60"},
    ),
    "RelayLagHigh": Samples({"oa_relay_lag_seconds": "0+60x60"}, {"oa_relay_lag_seconds": "29x60"}),
    "ProjectionStuck": Samples({_WAITED: "0+60x60"}, {_WAITED: "59x60"}, {"view": "worker_summaries"}),
    "QuarantineNotEmpty": Samples({_PARKED: "1x60"}, {_PARKED: FLAT}, {"view": "worker_summaries"}),
    "AuditDifferences": Samples({"oa_audit_differences": "2x60"}, {"oa_audit_differences": FLAT}),
    "AuditStale": Samples(
        {"oa_audit_last_success_timestamp_seconds": "60x60"},
        {"oa_audit_last_success_timestamp_seconds": "0+60x60"},
    ),
    "ReactionsFailing": Samples({_REACTIONS: "0+1x60"}, {_REACTIONS: "3x60"}, {"consumer": "executor.frames"}),
    "TimersOverdue": Samples({"oa_timers_due": "3x60"}, {"oa_timers_due": FLAT}),
}
