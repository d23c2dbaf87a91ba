"""The check of the console's files finds what gets round its policy, and what was changed under a vendored name."""

from pathlib import Path

import pytest

from ops.checks.console import CONSOLE, problems, sha384, vendored

LISTED = '[[file]]\npackage = "p"\nversion = "1"\nsource = "p.js"\nfile = "p/p.js"\nsha384 = "{sha384}"\n'


@pytest.fixture
def console(tmp_path: Path) -> Path:
    for folder in ("templates", "static/vendor/p"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "static" / "vendor" / "p" / "p.js").write_text("eval('theirs')")
    (tmp_path / "static" / "vendor" / "p" / "LICENSE.md").write_text("MIT")
    licence = LISTED.replace("p.js", "LICENSE.md").format(sha384=sha384(b"MIT"))
    listed = LISTED.format(sha384=sha384(b"eval('theirs')"))
    (tmp_path / "static" / "vendor" / "vendor.toml").write_text(licence + listed)
    return tmp_path


def test_the_console_keeps_what_it_promises() -> None:
    assert list(problems(CONSOLE)) == []


def test_what_is_as_it_should_be_is_no_problem(console: Path) -> None:
    (console / "templates" / "a.html").write_text('<script src="/a.js"></script><a class="style" data-on="x">b</a>')
    (console / "static" / "a.js").write_text(
        'import { b } from "./b.js";\nelement.style.width = "5px"; node.textContent = "x";'
    )
    (console / "static" / "b.js").write_text('export const b = "http://www.w3.org/2000/svg";')
    (console / "static" / "a.css").write_text("#add { color: var(--text); }")
    assert list(problems(console)) == []


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("templates/a.html", "<script>alert(1)</script>"),
        ("templates/a.html", "<script\ntype='module'>alert(1)</script>"),
        ("templates/a.html", '<a href="javascript:x">'),
        ("templates/a.html", '<p class="a" style="color: red">'),
        ("templates/a.html", "<style>p {}</style>"),
        ("templates/a.html", '<button\n  onclick="x()">'),
        ("templates/a.html", '<script src="//cdn.test/x.js"></script>'),
        ("templates/a.html", '<img src="https://x.test/i.png">'),
        ("static/a.js", "node.innerHTML = text"),
        ("static/a.js", 'node.insertAdjacentHTML("beforeend", text)'),
        ("static/a.js", "new DOMParser()"),
        ("static/a.js", "eval(text)"),
        ("static/a.js", "new Function(text)"),
        ("static/a.js", 'setTimeout("x()", 5)'),
        ("static/a.js", 'el("p", { style: "color: red" })'),
        ("static/a.js", 'fetch("https://x.test/")'),
        ("static/a.js", 'import { a } from "./nothing.js";'),
        ("static/a.js", 'import { a } from "phoenix";'),
        ("static/a.js", 'import("./nothing.js")'),
        ("static/a.css", "p { color: #fff; }"),
        ("static/a.css", "p { color: rgb(0 0 0); }"),
        ("static/a.css", '@import "b.css";'),
        ("static/a.css", "p { background: url(x.png); }"),
    ],
)
def test_what_the_policy_would_stop_or_miss_is_found(console: Path, name: str, text: str) -> None:
    (console / name).write_text(text)
    assert [problem.partition(" ")[0] for problem in problems(console)] == [name]


def test_vendored_files_are_what_they_were(console: Path) -> None:
    folder = console / "static" / "vendor"
    assert list(vendored(folder)) == []
    (folder / "p" / "p.js").write_text("changed")
    (folder / "p" / "more.js").write_text("x")
    (folder / "p" / "LICENSE.md").unlink()
    names = [problem.split(" ")[0].removeprefix("static/vendor/") for problem in vendored(folder)]
    assert names == ["p/LICENSE.md", "p/more.js", "p/p.js", "p"]
