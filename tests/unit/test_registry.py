"""Released schemas: ids that stay what they are (DESIGN §5, docs/adr/0006)."""

import json
import subprocess
from pathlib import Path

import pytest

from edge.errors import NotInRegistry
from edge.registry import PublishedSchemas
from ops.checks import contracts
from schemas.generate.outputs import ROOT
from schemas.registry import Registered, lost_entries, newest, published, registry, schema_fingerprint, versions

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


def test_versions_are_those_of_a_subject_oldest_first() -> None:
    second = EVENTS._replace(version=2, id=3)
    assert versions("oa.workers-value", [second, RUNS, EVENTS]) == [EVENTS, second]
    assert versions("oa.nothing-value", [second, RUNS, EVENTS]) == []


def test_the_newest_version_of_a_subject_is_what_is_written() -> None:
    assert newest("oa.workers-value") == versions("oa.workers-value", registry())[-1]
    with pytest.raises(KeyError):
        newest("oa.nothing-value")


def test_readers_look_for_subjects_that_begin_as_their_topics_do() -> None:
    assert published("blue.")[0].subject == "blue.oa.workers-value"
    assert published("") == registry()


@pytest.mark.parametrize(("asked", "found"), [("1", 1), ("2", 2), ("latest", 2), ("-1", 2)])
def test_a_version_is_found_among_several(asked: str, found: int) -> None:
    schemas = PublishedSchemas([EVENTS._replace(version=2, id=3), RUNS, EVENTS])
    assert schemas.version("oa.workers-value", asked).version == found


@pytest.mark.parametrize("asked", ["0", "01", "-2", "x", "1" * 5000])
def test_what_is_no_version_is_told_so(asked: str) -> None:
    with pytest.raises(NotInRegistry) as refused:
        PublishedSchemas([EVENTS]).version("oa.workers-value", asked)
    assert refused.value.error_code == 42202


def test_a_schema_that_says_the_same_is_found_in_its_newest_version() -> None:
    twice = [registry()[0], registry()[0]._replace(version=2, id=9)]
    assert PublishedSchemas(twice).same_as("oa.workers-value", registry()[0].text()).id == 9


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


def test_what_was_released_is_read_from_every_commit(tmp_path: Path) -> None:
    def git(*arguments: str) -> None:
        author = ("-c", "user.name=Ada", "-c", "user.email=ada@lane.test")
        subprocess.run(["git", *author, *arguments], cwd=tmp_path, check=True, capture_output=True)

    (tmp_path / "schemas").mkdir()
    git("init")
    for released in ([], [EVENTS], [EVENTS, EVENTS._replace(version=2, id=2)]):
        entries = [{key: value for key, value in entry._asdict().items() if key != "subject"} for entry in released]
        (tmp_path / "schemas" / "registry.json").write_text(json.dumps({EVENTS.subject: entries}))
        git("add", ".")
        git("commit", "-m", "released")
    history = contracts.history(tmp_path)
    assert history is not None
    assert [len(entries) for entries in history] == [2, 1, 0]


def test_without_git_there_is_no_history(tmp_path: Path) -> None:
    assert contracts.history(tmp_path) is None
