"""The check that docs/invariants.md, the claims of tests and the mutations agree; and the trees that are broken."""

from pathlib import Path

import pytest

from ops.checks.invariants import INVARIANTS, LATER, Section, claims, problems, sections
from ops.mutation.invariants import Mutation
from ops.mutation.trees import Edit, Tree

LINE = ("producers/eventlog/log.py", "if batch.unsure:")
TEST = "tests/unit/test_x.py::test_x"
WHOLE = Section([LINE], [TEST])
BROKEN = Mutation("I1", "asks nobody", TEST, (Edit(LINE[0], LINE[1], "if False:"),))
OTHERS = dict.fromkeys(INVARIANTS, WHOLE)
BREAKING = [BROKEN._replace(invariant=name) for name in INVARIANTS if name not in LATER]
CLAIMED = {name: {TEST} for name in INVARIANTS}


def test_the_document_is_read_by_section() -> None:
    first = "## I1\n\n> It.\n\n- `a/b.py`: `x = y` and why\n- `tests/unit/test_x.py::test_x`\n"
    text = f"# Head\n\n{first}\n## I2\n\nnothing\n"
    assert sections(text) == {"I1": Section([("a/b.py", "x = y")], [TEST]), "I2": Section([], [])}


def test_agreement_is_no_problem() -> None:
    assert list(problems(OTHERS, CLAIMED, BREAKING)) == []


@pytest.mark.parametrize(
    ("section", "claimed", "broken", "problem"),
    [
        (Section([LINE], []), set(), BROKEN, "no protecting line or no test"),
        (WHOLE, set(), BROKEN, "does not exist or does not claim it"),
        (WHOLE, {TEST, "tests/unit/test_x.py::test_y"}, BROKEN, "test_y claims I1, which does not name it"),
        (Section([(LINE[0], "if nothing:")], [TEST]), {TEST}, BROKEN, "does not have: if nothing:"),
        (Section([LINE, (LINE[0], "class EventLog")], [TEST]), {TEST}, BROKEN, "no mutation takes away"),
        (WHOLE, {TEST}, BROKEN._replace(test="other"), "mutated for other, which it does not name"),
        (WHOLE, {TEST}, BROKEN._replace(edits=(Edit("x.py", "x", "y"),)), "does not name what this takes away"),
    ],
)
def test_whoever_says_less_or_more_is_told(section: Section, claimed: set[str], broken: Mutation, problem: str) -> None:
    found = list(problems(OTHERS | {"I1": section}, CLAIMED | {"I1": claimed}, [broken, *BREAKING[1:]]))
    assert any(problem in one for one in found)


def test_an_unknown_and_a_missing_invariant_are_told() -> None:
    found = list(problems(dict.fromkeys(INVARIANTS[1:], WHOLE), CLAIMED | {"I11": {TEST}}, BREAKING[1:]))
    assert found == ["there is no invariant I11", "I1 is not in invariants.md"]


def test_a_tests_marker_is_its_claim(tmp_path: Path) -> None:
    source = (
        "@pytest.mark.slow\n@pytest.mark.invariant('I1', 'I4')\nasync def test_x():\n    pass\n\ndef test_y(): ...\n"
    )
    (tmp_path / "unit").mkdir()
    (tmp_path / "unit" / "test_x.py").write_text(source)
    assert claims(tmp_path) == {"I1": {TEST}, "I4": {TEST}}


def test_a_tree_is_whole_again_after_it_was_broken(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("x = 1\n")
    with Tree(tmp_path).edited([Edit("a.py", "1", "2")]):
        assert (tmp_path / "a.py").read_text() == "x = 2\n"
    assert (tmp_path / "a.py").read_text() == "x = 1\n"


def test_a_line_that_is_not_there_cannot_be_taken_away(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("x = 1\n")
    with pytest.raises(ValueError, match=r"a\.py has 0 times: y"), Tree(tmp_path).edited([Edit("a.py", "y", "2")]):
        pass
