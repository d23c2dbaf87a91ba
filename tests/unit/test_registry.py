"""Released schemas: ids that stay what they are (DESIGN §5, docs/adr/0006)."""

import pytest

from ops.checks import contracts
from schemas.generate.outputs import ROOT
from schemas.registry import Registered, lost_entries, newest, registry, schema_fingerprint

EVENTS = Registered("oa.workers-value", 1, 1, "a.avsc", "aa")
RUNS = Registered("oa.runs-value", 1, 2, "b.avsc", "bb")


def test_a_schema_keeps_its_id_as_long_as_its_fingerprint_stays() -> None:
    for entry in registry():
        assert schema_fingerprint(entry.text()) == entry.fingerprint


def test_a_changed_schema_has_another_fingerprint() -> None:
    entry = registry()[0]
    assert schema_fingerprint(entry.text().replace('"owner"', '"tenant"')) != entry.fingerprint


def test_ids_are_unique_and_versions_are_counted_by_subject() -> None:
    entries = registry()
    assert len({entry.id for entry in entries}) == len(entries)
    for subject in {entry.subject for entry in entries}:
        versions = [entry.version for entry in entries if entry.subject == subject]
        assert versions == list(range(1, len(versions) + 1))


def test_the_newest_version_of_a_subject_is_what_is_written() -> None:
    assert newest("oa.workers-value").version == max(e.version for e in registry() if e.subject == "oa.workers-value")
    with pytest.raises(KeyError):
        newest("oa.nothing-value")


@pytest.mark.parametrize(
    ("now", "lost"),
    [
        ((EVENTS, RUNS), []),
        ((EVENTS, RUNS, EVENTS._replace(version=2, id=3)), []),
        ((EVENTS._replace(schema="elsewhere.avsc"), RUNS), []),
        ((RUNS,), [EVENTS]),
        ((EVENTS._replace(fingerprint="cc"), RUNS), [EVENTS]),
        ((EVENTS._replace(id=7), RUNS), [EVENTS]),
        ((EVENTS._replace(version=2), RUNS), [EVENTS]),
    ],
)
def test_what_was_released_stays(now: tuple[Registered, ...], lost: list[Registered]) -> None:
    assert lost_entries((EVENTS, RUNS), now) == lost


def test_the_check_names_what_a_commit_had_released_and_is_changed() -> None:
    first = registry()[0]
    assert contracts.rewritten(ROOT, [(first,)]) == []
    earlier = [(first._replace(fingerprint="e3b0"),), (first._replace(fingerprint="e3b0"),)]
    assert contracts.rewritten(ROOT, earlier) == ["oa.workers-value version 1, id 1, was released and is changed"]
