"""The rules of policy sets, compiled once: only what can concern a call's tool or host is looked at, and deny wins.

A call is refused when a rule of any set denies it, or when a set whose default is deny has no rule that allows it.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

import msgspec

from producers.policy_documents import DEFAULT, Document, Effect, Rule
from schemas import reasons
from schemas.events import Payload
from schemas.times import iso6


class Facts(msgspec.Struct, frozen=True):
    """What is about to happen. `recent` are the counts that `Rules.counted` names, by key: what nobody counted is
    refused as if it were too much."""

    tool: str
    now: datetime
    amount_sats: int = 0
    host: str | None = None
    project: str | None = None
    recent: Mapping[str, int] = {}

    def __post_init__(self) -> None:
        """A host has one spelling, so that no other gets past a rule, and a moment one time of day."""
        if self.now.tzinfo is not UTC:
            msgspec.structs.force_setattr(self, "now", self.now.astimezone(UTC))
        if self.host is not None:
            msgspec.structs.force_setattr(self, "host", self.host.lower().rstrip("."))

    def told(self) -> Payload:
        """Among the `inputs` of a `policy.decision` (ADR 14)."""
        return msgspec.structs.asdict(self) | {"now": iso6(self.now), "recent": dict(self.recent)}

    @classmethod
    def of(cls, told: Mapping[str, Any]) -> "Facts":
        """The inverse of `told`. Raises ValueError."""
        return msgspec.convert(told, cls)


class Fired(NamedTuple):
    """Which rule of which version of which set denied; `default` when nothing allowed."""

    set: str
    version: int
    rule: str
    reason_code: str
    why: str | None = None

    def told(self) -> Payload:
        """`rule` of a `policy.decision` (ADR 14)."""
        return {"set": self.set, "version": self.version, "rule": self.rule}

    @property
    def detail(self) -> str:
        """`detail` of a `policy.decision`: the same in words, with the rule's own."""
        return f"{self.set} v{self.version}, rule {self.rule}" + (f": {self.why}" if self.why else "")


class Counted(NamedTuple):
    """Calls that went through while a rule's other conditions held, in a sliding window."""

    key: str
    window_s: int


class ActiveSet(NamedTuple):
    version: int
    document: Document


class Rules:
    """The active sets of one owner. Of several rules that deny, the first in the order of sets and files is told."""

    def __init__(self, sets: Iterable[ActiveSet]) -> None:
        active = list(sets)
        denying = [_compiled(each, rule, "deny") for each in active for rule in each.document.deny]
        allowing = [[_compiled(each, rule, "allow") for rule in each.document.allow] for each in active]
        self._denying = _Index(denying)
        self._defaults = [
            (each.document.project, _Index(rules), _fired(each, None))
            for each, rules in zip(active, allowing, strict=True)
            if each.document.default == "deny"
        ]
        self._counting = _Index(one for rules in (denying, *allowing) for one in rules if one.counted)

    def refusal(self, facts: Facts) -> Fired | None:
        if denying := self._denying.first(facts):
            return denying.fired
        for project, allowing, default in self._defaults:
            if project in (None, facts.project) and allowing.first(facts) is None:
                return default
        return None

    def counted(self, facts: Facts) -> set[Counted]:
        """Which counts `refusal` needs for these facts; a call that goes through raises them."""
        return {one.counted for _, one in self._counting.concerning(facts) if one.counted and one.others(facts)}


class Consulted(NamedTuple):
    """An owner's rules and a call's facts, with the counts that these rules ask for."""

    rules: Rules
    facts: Facts

    def refusal(self) -> Fired | None:
        return self.rules.refusal(self.facts)


# --- what a rule becomes --------------------------------------------------------------------------------------------

Condition = Callable[[Facts], bool]


class _Compiled(NamedTuple):
    """`others` are all conditions but the rate, `holds` are all; neither asks for what the index found it by."""

    rule: Rule
    others: Condition
    holds: Condition
    fired: Fired
    counted: Counted | None


def _compiled(each: ActiveSet, rule: Rule, effect: Effect) -> _Compiled:
    others = list(_others(each.document.project, rule, effect))
    if rule.rate is None:
        return _Compiled(rule, _all(others), _all(others), _fired(each, rule), None)
    counted = Counted(f"{each.document.name}/{rule.rule}", rule.rate.window_s)
    holds = _all([*others, _rate(counted.key, rule.rate.calls, effect)])
    return _Compiled(rule, _all(others), holds, _fired(each, rule), counted)


def _fired(each: ActiveSet, rule: Rule | None) -> Fired:
    if rule is None:
        return Fired(each.document.name, each.version, DEFAULT, reasons.EXPLICIT_DENY)
    limits = rule.sats is not None or rule.rate is not None
    code = reasons.BUDGET_EXHAUSTED if limits else reasons.EXPLICIT_DENY
    return Fired(each.document.name, each.version, rule.rule, code, rule.why)


def _all(conditions: Sequence[Condition]) -> Condition:
    match conditions:
        case []:
            return lambda _: True
        case [only]:
            return only
        case [first, *others]:
            rest = _all(others)
            return lambda facts: first(facts) and rest(facts)
    raise AssertionError("a sequence is empty, or has a first")


def _others(project: str | None, rule: Rule, effect: Effect) -> Iterator[Condition]:
    if project is not None:
        yield lambda facts: facts.project == project
    if rule.hosts and not _is_found_by_host(rule):
        yield _goes_to(rule.hosts)
    if rule.sats is not None:
        yield _amount(rule.sats, effect)
    if rule.between:
        yield _is_between(*rule.between)
    if days := rule.days:
        yield lambda facts: facts.now.weekday() in days


def _amount(sats: int, effect: Effect) -> Condition:
    return (lambda facts: facts.amount_sats > sats) if effect == "deny" else (lambda facts: facts.amount_sats <= sats)


def _rate(key: str, calls: int, effect: Effect) -> Condition:
    if effect == "deny":
        return lambda facts: facts.recent.get(key, calls) >= calls
    return lambda facts: facts.recent.get(key, calls) < calls


def _is_between(start: int, end: int) -> Condition:
    if start < end:
        return lambda facts: start <= _minute(facts.now) < end
    return lambda facts: not end <= _minute(facts.now) < start


def _minute(now: datetime) -> int:
    return now.hour * 60 + now.minute


def _goes_to(hosts: Sequence[str]) -> Condition:
    names = frozenset(hosts)
    return lambda facts: facts.host is not None and (facts.host in names or not names.isdisjoint(_domains(facts.host)))


# --- finding the rules that a call can concern ----------------------------------------------------------------------

_ANY: Final = "*"
_Placed = tuple[int, _Compiled]


def _is_found_by_host(rule: Rule) -> bool:
    return bool(rule.hosts) and not rule.tools


class _Index:
    """Rules by tool, else by host; in the order they came."""

    def __init__(self, rules: Iterable[_Compiled]) -> None:
        tools, hosts = defaultdict[str, list[_Placed]](list), defaultdict[str, list[_Placed]](list)
        for placed in enumerate(rules):
            rule = placed[1].rule
            named, patterns = (hosts, rule.hosts) if _is_found_by_host(rule) else (tools, rule.tools or (_ANY,))
            for pattern in patterns:
                named[pattern].append(placed)
        self._tools = _Patterns(tools, _beginnings(tools))
        self._hosts = _Patterns(hosts, _domains)

    def concerning(self, facts: Facts) -> Sequence[_Placed]:
        of_tool = self._tools.of(facts.tool)
        of_host = self._hosts.of(facts.host) if facts.host is not None else ()
        return sorted([*of_tool, *of_host]) if of_host else of_tool

    def first(self, facts: Facts) -> _Compiled | None:
        """Of those that hold."""
        for _, rule in self.concerning(facts):
            if rule.holds(facts):
                return rule
        return None


class _Patterns:
    """What is said of a name, by the narrowest pattern that means it: there stands also what wider ones say."""

    def __init__(self, named: Mapping[str, Sequence[_Placed]], wider: Callable[[str], Iterator[str]]) -> None:
        """`wider` are the patterns that mean a name, or all that a pattern means, the narrowest first."""
        self._wider = wider
        self._said = {pattern: self._merged(named, pattern) for pattern in named}

    def _merged(self, named: Mapping[str, Sequence[_Placed]], pattern: str) -> Sequence[_Placed]:
        wider = (pattern, *self._wider(pattern))
        return sorted(dict(placed for each in wider for placed in named.get(each, ())).items())

    def of(self, name: str) -> Sequence[_Placed]:
        said = self._said
        if name in said:
            return said[name]
        for pattern in self._wider(name) if said else ():
            if pattern in said:
                return said[pattern]
        return ()


def _beginnings(patterns: Iterable[str]) -> Callable[[str], Iterator[str]]:
    lengths = sorted({len(pattern) - 1 for pattern in patterns if pattern.endswith(_ANY)}, reverse=True)

    def wider(name: str) -> Iterator[str]:
        for length in lengths:
            yield name[:length] + _ANY

    return wider


def _domains(host: str) -> Iterator[str]:
    dot = host.find(".")
    while dot >= 0:
        yield _ANY + host[dot:]
        dot = host.find(".", dot + 1)
    yield _ANY
