"""`oa bench policy`: one evaluation with 200 rules, beside cedarpy with the same as 200 Cedar policies."""

import random
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple, TypeVar

import msgspec

from ops.bench.figures import Figure, median, percentile, show
from ops.stack.processes import StackError
from producers.policy import Decision, evaluate
from producers.policy_documents import document
from producers.policy_rules import ActiveSet, Facts, Rules
from schemas.events import Payload

NAME: Final = "bench"
SERVICES: Final = 40
CALLS: Final = 2_000
ROUNDS: Final = 5
POLICY: Final = {
    "policy_id": "spend.authorization.v1",
    "authorization_id": "auth_00000000000000000000000000000001",
    "authorization_mode": "delegated_budget",
}
BUDGET: Final = {"spent_sats": 40_000, "reserved_sats": 1_000, "remaining_sats": 59_000}

T = TypeVar("T")


class Rule(NamedTuple):
    """What a file says, and the Cedar policy that says the same."""

    written: Payload
    cedar: str


def main(*, as_json: bool) -> None:
    show(run(), as_json=as_json)


def run() -> Figure:
    """Medians of single calls; lower is better, so is the ratio.

    What is decided on is made before the clock starts, no decision is kept, and both sides decide alike.
    """
    deny, allow = list(denying()), list(allowing())
    written = {"name": NAME, "default": "deny", "deny": _written(deny), "allow": _written(allow)}
    rules = Rules([ActiveSet(1, document(written))])
    cedar = _cedar([*deny, *allow])
    calls = facts(rules)
    requests = [_request(each) for each in calls]
    _alike(rules, cedar, calls, requests)
    rounds = [
        (
            _timed(lambda each: _decided(rules, each), calls),
            _timed(lambda each: _hashed(rules, each), calls),
            _timed(cedar, requests),
        )
        for _ in range(ROUNDS)
    ]
    figure = _figure("policy", [(ours, peer) for ours, _, peer in rounds])
    figure.cases.append(_figure("with its hash", [(ours, peer) for _, ours, peer in rounds]))
    return figure


def denying() -> Iterator[Rule]:
    """150: amounts of single tools, hosts, nights, rates."""
    for number in range(60):
        tool, sats = f"svc{number % SERVICES}.op{number % 7}", 1000 * (1 + number % 9)
        yield Rule(
            {"rule": f"dear-{number}", "tools": [tool], "above_sats": sats},
            f'forbid(principal, action == Action::"{tool}", resource) when {{ context.sats > {sats} }};',
        )
    for number in range(30):
        domain = f"*.h{number}.example.com"
        yield Rule(
            {"rule": f"host-{number}", "hosts": [domain]},
            f'forbid(principal, action, resource) when {{ context has host && context.host like "{domain}" }};',
        )
    for number in range(30):
        yield Rule(
            {"rule": f"night-{number}", "tools": [f"svc{number}.*"], "between": "22:00-06:00"},
            f"forbid(principal, action, resource) when {{ {_of(number)} "
            "&& (context.minute >= 1320 || context.minute < 360) };",
        )
    for number in range(30):
        key = f"{NAME}/rate-{number}"
        yield Rule(
            {"rule": f"rate-{number}", "tools": [f"svc{number + 10}.*"], "above_rate": "30/hour"},
            f"forbid(principal, action, resource) when {{ {_of(number + 10)} "
            f'&& context.recent has "{key}" && context.recent["{key}"] >= 30 }};',
        )


def allowing() -> Iterator[Rule]:
    """50, for nearly every service."""
    for number in range(50):
        service, sats = number % (SERVICES - 2), 20_000 * (1 + number // SERVICES)
        yield Rule(
            {"rule": f"allow-{number}", "tools": [f"svc{service}.*"], "up_to_sats": sats},
            f"permit(principal, action, resource) when {{ {_of(service)} && context.sats <= {sats} }};",
        )


def _of(service: int) -> str:
    return f'context.tool like "svc{service}.*"'


def _written(rules: Sequence[Rule]) -> list[Payload]:
    return [rule.written for rule in rules]


def facts(rules: Rules) -> list[Facts]:
    """Calls by day and by night, most of them small, every third to a host."""
    chance, midnight = random.Random(7), datetime(2026, 2, 20, tzinfo=UTC)
    calls = []
    for _ in range(CALLS):
        host = chance.choice([None, None, f"api.h{chance.randrange(60)}.example.com"])
        call = Facts(
            tool=f"svc{chance.randrange(SERVICES)}.op{chance.randrange(12)}",
            now=midnight + timedelta(minutes=chance.randrange(1440)),
            amount_sats=chance.choice([0, 0, 10, 500, 5_000, 30_000]),
            host=host,
        )
        recent = {counted.key: chance.randrange(36) for counted in rules.counted(call)}
        calls.append(msgspec.structs.replace(call, recent=recent))
    return calls


def _decided(rules: Rules, call: Facts) -> Decision:
    return evaluate(POLICY, BUDGET, {}, rules, call)


def _hashed(rules: Rules, call: Facts) -> str:
    return evaluate(POLICY, BUDGET, {}, rules, call).evaluation_hash


def _cedar(rules: Sequence[Rule]) -> Callable[[Payload], bool]:
    """Policies and entities are parsed once, as its documentation says."""
    try:
        import cedarpy
    except ImportError as error:
        raise StackError("cedarpy is not here: pip install -r requirements-dev.lock") from error
    policies = cedarpy.PolicySet.from_str("\n".join(rule.cedar for rule in rules))
    entities = cedarpy.Entities.from_json_str("[]")
    return lambda request: bool(cedarpy.is_authorized(request, policies, entities).allowed)


def _request(call: Facts) -> Payload:
    context: Payload = {
        "tool": call.tool,
        "sats": call.amount_sats,
        "minute": call.now.hour * 60 + call.now.minute,
        "recent": dict(call.recent),
    }
    if call.host is not None:
        context["host"] = call.host
    named = {"principal": 'User::"41"', "action": f'Action::"{call.tool}"', "resource": 'Budget::"auth_1"'}
    return named | {"context": context}


def _alike(rules: Rules, cedar: Callable[[Payload], bool], calls: Sequence[Facts], requests: Sequence[Payload]) -> None:
    ours = [_decided(rules, call).decision == "allowed" for call in calls]
    if ours != [cedar(request) for request in requests]:
        raise RuntimeError("the two sides do not say the same")
    if not 0.2 < sum(ours) / len(ours) < 0.8:
        raise RuntimeError("these calls do not try the rules")


def _timed(decide: Callable[[T], Any], calls: Sequence[T]) -> list[float]:
    """µs of each call."""
    took = []
    for call in calls:
        began = time.perf_counter_ns()
        decide(call)
        took.append((time.perf_counter_ns() - began) / 1000)
    return took


def _figure(name: str, rounds: Sequence[tuple[list[float], list[float]]]) -> Figure:
    all_ours = [us for ours, _ in rounds for us in ours]
    return Figure(
        name=name,
        ours=median(percentile(ours, 0.5) for ours, _ in rounds),
        unit="µs",
        peer=median(percentile(peer, 0.5) for _, peer in rounds),
        ratio=median(percentile(ours, 0.5) / percentile(peer, 0.5) for ours, peer in rounds),
        p50_ms=percentile(all_ours, 0.5) / 1000,
        p99_ms=percentile(all_ours, 0.99) / 1000,
    )
