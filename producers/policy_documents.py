"""The file format of a policy set: TOML or JSON, read strictly, every mistake told at once (docs/policy.md)."""

import difflib
import re
import tomllib
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any, Final, Literal, NamedTuple

import msgspec

from producers.errors import InvalidRequest
from schemas import canonical_json
from schemas.events import Payload
from schemas.names import CONTROL_CHARACTERS

Effect = Literal["deny", "allow"]

DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
WINDOWS_S: Final = {"minute": 60, "hour": 3600, "day": 86400}
DEFAULT: Final = "default"
"""What refuses when nothing allowed: no rule may be called that."""
MAX_RULES: Final = 1000
MAX_PATTERNS: Final = 100
MAX_SATS: Final = 2_100_000_000_000_000

_NAME: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_TOOL: Final = re.compile(r"[^\s*]+\*?|\*")
_HOST: Final = re.compile(r"\*|(\*\.)?[a-z0-9_-]+(\.[a-z0-9_-]+)*|([0-9a-f]{0,4}:){2,7}[0-9a-f.]*")
_RATE: Final = re.compile(r"([1-9][0-9]{0,8})/(minute|hour|day)")
_BETWEEN: Final = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])-(?:([01][0-9]|2[0-3]):([0-5][0-9])|24:00)")


class InvalidPolicy(InvalidRequest):
    """What is wrong with a document, one line a mistake."""

    def __init__(self, errors: list[str]) -> None:
        super().__init__("\n".join(errors))
        self.errors = errors


class Rate(NamedTuple):
    """So many calls in a sliding window."""

    calls: int
    window_s: int


class Between(NamedTuple):
    """Minutes of the UTC day, the end not included; over midnight when it ends before it starts."""

    start: int
    end: int


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """Conditions that must all hold; a list holds when one of it does. `sats` and `rate` are what may not be passed."""

    rule: str
    tools: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()
    sats: int | None = None
    rate: Rate | None = None
    between: Between | None = None
    days: frozenset[int] = frozenset()
    why: str | None = None


class Document(msgspec.Struct, frozen=True, kw_only=True):
    """A policy set: with `default` deny only what a rule allows goes through; `project` limits it to one."""

    name: str
    project: str | None = None
    description: str | None = None
    default: Effect = "allow"
    deny: tuple[Rule, ...] = ()
    allow: tuple[Rule, ...] = ()


def parsed(text: str, *, toml: bool) -> Payload:
    """A file's JSON object, whatever it says. Raises `InvalidPolicy`."""
    try:
        value = tomllib.loads(text) if toml else canonical_json.decode(text)
    except ValueError as error:
        raise InvalidPolicy([str(error)]) from error
    if not isinstance(value, dict):
        raise InvalidPolicy(["a policy set is an object"])
    return value


def document(written: Mapping[str, Any]) -> Document:
    """What a file says. Raises `InvalidPolicy`."""
    reading = _Reading()
    fields = reading.table("", written, _DOCUMENT, required=("name",))
    for effect in ("deny", "allow"):
        fields[effect] = reading.rules(effect, fields.get(effect, []))
    reading.check(fields)
    if reading.errors:
        raise InvalidPolicy(reading.errors)
    return Document(**fields)


class _Reading:
    """Fields are taken where they can be read; what cannot is written down."""

    def __init__(self) -> None:
        self.errors = list[str]()

    def table(
        self, path: str, written: Mapping[str, Any], readers: "_Readers", required: tuple[str, ...]
    ) -> dict[str, Any]:
        self.errors += [f"{path}{name}: is missing" for name in required if name not in written]
        fields = dict[str, Any]()
        for name, value in written.items():
            if reader := readers.get(name):
                try:
                    fields[reader.field] = reader.read(value)
                except ValueError as error:
                    self.errors.append(f"{path}{name}: {error}")
            else:
                self.errors.append(f"{path}{name}: is not known{_meant(name, readers)}")
        return fields

    def rules(self, effect: Effect, written: list[Any]) -> tuple[Rule, ...]:
        read = [self._rule(f"{effect}[{number}]", effect, each) for number, each in enumerate(written, 1)]
        return tuple(rule for rule in read if rule is not None)

    def _rule(self, path: str, effect: Effect, written: Any) -> Rule | None:
        if not isinstance(written, Mapping):
            self.errors.append(f"{path}: must be a table")
            return None
        before = len(self.errors)
        fields = self.table(f"{path}.", written, _RULES[effect], required=("rule",))
        if not written.keys() - {"rule", "why"}:
            self.errors.append(f'{path}: says nothing about when; for every call write tools = ["*"]')
        return Rule(**fields) if len(self.errors) == before else None

    def check(self, fields: Mapping[str, Any]) -> None:
        """What only the whole shows."""
        rules = [*fields["deny"], *fields["allow"]]
        self.errors += [
            f"rule {name!r}: is there {count} times"
            for name, count in Counter(rule.rule for rule in rules).items()
            if count > 1
        ]
        if len(rules) > MAX_RULES:
            self.errors.append(f"{len(rules)} rules are more than {MAX_RULES}")
        if fields["allow"] and fields.get("default", "allow") == "allow":
            self.errors.append('allow: has no effect without default = "deny"')


def _meant(name: str, readers: "_Readers") -> str:
    near = difflib.get_close_matches(name, readers, n=1)
    return f", did you mean {near[0]}?" if near else ""


# --- one value ------------------------------------------------------------------------------------------------------


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value.strip() or len(value) > 300 or CONTROL_CHARACTERS.search(value):
        raise ValueError("must be a line of text of at most 300 characters")
    return value


def _name(value: Any) -> str:
    if not isinstance(value, str) or not _NAME.fullmatch(value):
        raise ValueError("must be 1 to 64 of a-z 0-9 . _ -, and begin with a letter or digit")
    return value


def _rule_name(value: Any) -> str:
    if value == DEFAULT:
        raise ValueError(f"{DEFAULT} is what refuses when nothing allowed; choose another name")
    return _name(value)


def _effect(value: Any) -> Effect:
    if value not in ("allow", "deny"):
        raise ValueError("must be allow or deny")
    return value  # type: ignore[no-any-return]


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise ValueError("must be a list of tables")
    return value


def _tools(value: Any) -> tuple[str, ...]:
    return _patterns(value, _TOOL, 'a name, or the beginning of names and *, as in "github.*"')


def _hosts(value: Any) -> tuple[str, ...]:
    return _patterns(value, _HOST, 'a host in lower case without a port, or *. and a domain, as in "*.example.com"')


def _patterns(value: Any, shape: re.Pattern[str], meaning: str) -> tuple[str, ...]:
    if not isinstance(value, list) or not 1 <= len(value) <= MAX_PATTERNS:
        raise ValueError(f"must be a list of 1 to {MAX_PATTERNS}")
    for pattern in value:
        if not isinstance(pattern, str) or len(pattern) > 255 or not shape.fullmatch(pattern):
            raise ValueError(f"{pattern!r} is not {meaning}")
    return tuple(value)


def _sats(value: Any) -> int:
    if type(value) is not int or not 0 <= value <= MAX_SATS:
        raise ValueError("must be a whole number of sats, 0 or more")
    return value


def _rate(value: Any) -> Rate:
    match = _RATE.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise ValueError('must be calls in a minute, an hour or a day, as in "30/hour"')
    return Rate(int(match[1]), WINDOWS_S[match[2]])


def _between(value: Any) -> Between:
    match = _BETWEEN.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise ValueError('must be two times of the UTC day, as in "22:00-06:30"')
    start = int(match[1]) * 60 + int(match[2])
    end = int(match[3]) * 60 + int(match[4]) if match[3] else 24 * 60
    if start == end:
        raise ValueError("ends when it begins")
    return Between(start, end)


def _days(value: Any) -> frozenset[int]:
    if not isinstance(value, list) or not value or not all(isinstance(day, str) and day in DAYS for day in value):
        raise ValueError(f"must be a list of {', '.join(DAYS)}")
    return frozenset(DAYS.index(day) for day in value)


class _Reader(NamedTuple):
    field: str
    read: Callable[[Any], Any]


_Readers = Mapping[str, _Reader]

_DOCUMENT: Final[_Readers] = {
    "name": _Reader("name", _name),
    "project": _Reader("project", _text),
    "description": _Reader("description", _text),
    "default": _Reader("default", _effect),
    "deny": _Reader("deny", _list),
    "allow": _Reader("allow", _list),
}
_ANY_RULE: Final[_Readers] = {
    "rule": _Reader("rule", _rule_name),
    "tools": _Reader("tools", _tools),
    "hosts": _Reader("hosts", _hosts),
    "between": _Reader("between", _between),
    "days": _Reader("days", _days),
    "why": _Reader("why", _text),
}
_RULES: Final[Mapping[Effect, _Readers]] = {
    "deny": {**_ANY_RULE, "above_sats": _Reader("sats", _sats), "above_rate": _Reader("rate", _rate)},
    "allow": {**_ANY_RULE, "up_to_sats": _Reader("sats", _sats), "up_to_rate": _Reader("rate", _rate)},
}
