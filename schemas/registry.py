"""The schemas that were ever released: ids that never change and are never given twice (DESIGN §5, docs/adr/0006)."""

import json
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final, NamedTuple

from fastavro.schema import fingerprint, to_parsing_canonical_form

FOLDER: Final = Path(__file__).parent
FILE: Final = "registry.json"
COMPATIBILITY: Final = "BACKWARD_TRANSITIVE"
"""What registries may tell of our subjects; what we keep is more (docs/adr/0006)."""


class Registered(NamedTuple):
    """One version of a subject's schema; `fingerprint` is the SHA-256 of its Parsing Canonical Form."""

    subject: str
    version: int
    id: int
    schema: str
    fingerprint: str

    def text(self) -> str:
        """The schema in the file that `schema` names, on one line."""
        return _text(self.schema)


@cache
def registry() -> tuple[Registered, ...]:
    """Every schema ever released, in the order of `registry.json`, which is only appended to."""
    return entries_of(json.loads((FOLDER / FILE).read_text(encoding="utf-8")))


def entries_of(subjects: Mapping[str, Any]) -> tuple[Registered, ...]:
    return tuple(Registered(subject, **entry) for subject, entries in subjects.items() for entry in entries)


def published(topic_prefix: str) -> tuple[Registered, ...]:
    """Every released schema, by the names that readers of the topics look for: subjects begin as their topics do."""
    return tuple(entry._replace(subject=topic_prefix + entry.subject) for entry in registry())


def versions(subject: str, entries: Iterable[Registered]) -> list[Registered]:
    """Those of a subject, oldest first."""
    return sorted((entry for entry in entries if entry.subject == subject), key=lambda entry: entry.version)


def newest(subject: str) -> Registered:
    """What is written now. A KeyError when nothing was released for the subject."""
    if found := versions(subject, registry()):
        return found[-1]
    raise KeyError(subject)


def subject_of(topic: str) -> str:
    return f"{topic}-value"


def schema_fingerprint(schema: str) -> str:
    return str(fingerprint(to_parsing_canonical_form(json.loads(schema)), "SHA-256"))


def meaning(schema: str) -> Any:
    """What a schema says, without what it tells people; raises ValueError when it is not JSON."""
    return json.loads(schema, object_hook=lambda fields: {key: fields[key] for key in fields if key != "doc"})


def lost_entries(earlier: tuple[Registered, ...], now: tuple[Registered, ...]) -> list[Registered]:
    """What was released before and is not there any more as it was; where its file lies does not count."""
    kept = {_identity(entry) for entry in now}
    return [entry for entry in earlier if _identity(entry) not in kept]


@cache
def _text(name: str) -> str:
    schema = json.loads((FOLDER / name).read_text(encoding="utf-8"))
    return json.dumps(schema, separators=(",", ":"), ensure_ascii=False)


def _identity(entry: Registered) -> tuple[str, int, int, str]:
    return entry.subject, entry.version, entry.id, entry.fingerprint
