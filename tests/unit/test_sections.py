"""The check that every promised section of the runtime contract is named by a test."""

import pytest

from ops.checks.sections import CONTRACT, PROMISED, Promised, named, problems, promised, prose, titles

KNOWN = {"runtime §2.10": "Deliveries", "DEC-21": "Keep"}


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("Signed (runtime §2.10, §6.5; DEC-18, DEC-21).", ["runtime §2.10", "runtime §6.5", "DEC-18", "DEC-21"]),
        ("runtime §2.13–2.15, 2.18 and §3", [*(f"runtime §2.{n}" for n in (13, 14, 15, 18)), "runtime §3"]),
        ("(DESIGN §4, runtime §2.1; sync §14, §6)", ["runtime §2.1"]),
        ("DEC-8, 9 and 10; DEC-20–22", [f"DEC-{n}" for n in (8, 9, 10, 20, 21, 22)]),
        ("Runtime §2.18, 4 times; DEC-2 has 3 users, §9 none", ["runtime §2.18", "DEC-2", "runtime §9"]),
        ("§2.10 alone names no contract", []),
    ],
)
def test_what_a_text_names(text: str, names: list[str]) -> None:
    assert list(named(text)) == names


def test_docstrings_and_comments_are_read_and_code_is_not() -> None:
    source = '"""One."""\nX = "two"  # three\n\n\ndef test() -> None:\n    """Four."""\n    assert "five"\n'
    assert list(prose(source)) == ["One.", "Four.", "# three"]


@pytest.mark.parametrize(
    ("promises", "tested", "problem"),
    [
        (Promised(["runtime §2.10"], []), set(), "no test names runtime §2.10: Deliveries"),
        (Promised(["runtime §2.10"], ["runtime §2.10"]), set(), None),
        (Promised(["DEC-21"], []), {"DEC-21"}, None),
        (Promised(["DEC-99"], []), {"DEC-99"}, "the contract has no DEC-99"),
        (Promised([], ["DEC-21"]), set(), "DEC-21 is not among what is promised"),
    ],
)
def test_what_is_wrong(promises: Promised, tested: set[str], problem: str | None) -> None:
    found = list(problems(promises, KNOWN, {name: {"test_x.py"} for name in tested}))
    assert found == ([problem] if problem else [])


def test_the_contract_knows_what_is_promised() -> None:
    known = titles(CONTRACT.read_text(encoding="utf-8"))
    assert known["runtime §2.10"].startswith("`POST /comms/delivery-events`")
    assert known["DEC-21"] == "Keep"
    assert set(promised(PROMISED.read_text(encoding="utf-8")).names) <= set(known)
