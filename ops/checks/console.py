"""Proves that vendored files are what they were, and that nothing of ours gets round the console's policy (ADR 15)."""

import base64
import hashlib
import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

CONSOLE: Final = Path(__file__).parents[2] / "edge" / "console"
VENDOR: Final = "static/vendor"
_SVG: Final = "http://www.w3.org/2000/svg"
_RULES: Final = {
    "*.html": {
        "an inline script": r"<script(?![^>]*\ssrc=)|javascript:",
        "an inline style": r"<style|<[^>]*\sstyle=",
        "an inline handler": r"<[^>]*\son\w+\s*=",
    },
    "*.js": {
        "markup made of text": r"\b(?:inner|outer)HTML\b|insertAdjacentHTML|setHTMLUnsafe|parseHTMLUnsafe|\bDOMParser\b"
        r"|document\.write|createContextualFragment|\bsrcdoc\b",
        "code made of text": r"\beval\(|\bFunction\(|set(?:Timeout|Interval)\(\s*[\"'`]",
        "a style attribute, which the policy ignores": r"setAttribute\(\s*[\"']style[\"']|[{,]\s*style:",
    },
    "*.css": {
        "something loaded": r"@import|url\(",
        "a colour that is no token": r"#[0-9a-fA-F]{3,8}\b(?=[^{}]*;)|\b(?:rgb|hsl|oklch)a?\(",
    },
}
_ANYWHERE: Final = {"an address elsewhere": r"(?:https?|wss?)://[^\s\"'`)]+|[\"'(]//\w"}
_IMPORT: Final = re.compile(
    r"^(?:import|export)\b[^;]*?\bfrom\s+\"([^\"]+)\"|\bimport\(\s*\"([^\"]+)\"|^import\s+\"([^\"]+)\"", re.M
)


def problems(console: Path) -> Iterator[str]:
    yield from vendored(console / VENDOR)
    for pattern, rules in _RULES.items():
        for path in _ours(console, pattern):
            text, name = path.read_text(encoding="utf-8"), path.relative_to(console)
            own = {} if path.name == "tokens.css" else rules
            yield from (f"{name} has {what}: {found}" for what, found in broken(text, own | _ANYWHERE))
    yield from (f"{name} imports {wanted}, which is not there" for name, wanted in lost_imports(console))


def vendored(folder: Path) -> Iterator[str]:
    """Files that are not what `vendor.toml` says, are not in it, or have no licence beside them."""
    listed = {entry["file"]: entry for entry in tomllib.loads((folder / "vendor.toml").read_text())["file"]}
    present = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
    present.pop("vendor.toml")
    for name in sorted(listed.keys() | present.keys()):
        if name not in listed:
            yield f"{VENDOR}/{name} is not in vendor.toml"
        elif name not in present:
            yield f"{VENDOR}/{name} is in vendor.toml only"
        elif (found := sha384(present[name].read_bytes())) != listed[name]["sha384"]:
            yield f"{VENDOR}/{name} is {found}, not what vendor.toml says"
    for package in sorted({name.partition("/")[0] for name in present}):
        if not list(folder.glob(f"{package}/LICENSE*")):
            yield f"{VENDOR}/{package} has no licence"


def sha384(content: bytes) -> str:
    """As in the `integrity` attribute."""
    return "sha384-" + base64.b64encode(hashlib.sha384(content).digest()).decode()


def broken(text: str, rules: dict[str, str]) -> Iterator[tuple[str, str]]:
    for what, pattern in rules.items():
        for found in re.finditer(pattern, text):
            if found[0] != _SVG:
                yield what, found[0]


def lost_imports(console: Path) -> Iterator[tuple[Path, str]]:
    for path in _ours(console, "*.js"):
        for names in _IMPORT.findall(path.read_text(encoding="utf-8")):
            wanted = "".join(names)
            if not wanted.startswith("./") or not (path.parent / wanted).is_file():
                yield path.relative_to(console), wanted


def _ours(console: Path, pattern: str) -> list[Path]:
    return sorted(path for path in console.rglob(pattern) if console / VENDOR not in path.parents)


def main() -> int:
    found = list(problems(CONSOLE))
    for problem in found:
        print(problem)
    files = [path for path in CONSOLE.rglob("*") if path.suffix in (".html", ".js", ".css")]
    print(f"console: {len(found)} problems in {len(files)} templates, modules and style sheets")
    return bool(found)


if __name__ == "__main__":
    sys.exit(main())
