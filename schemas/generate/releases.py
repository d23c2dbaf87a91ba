"""Giving ids: a schema that changed becomes the next version of its subject, when it gets on with all before it."""

import json
import shutil
from pathlib import Path
from typing import Any

from schemas.compatibility import conflicts
from schemas.generate.descriptors import contract_files
from schemas.generate.outputs import ROOT
from schemas.registry import FILE, Registered, entries_of, meaning, schema_fingerprint, versions


class Incompatible(Exception):
    """A changed schema would break readers of what was released."""


def unreleased(root: Path = ROOT) -> list[str]:
    """Subjects whose generated schema says something else than the newest released one."""
    entries = _entries(root)
    return [subject for subject in _generated(root) if not _is_released(root, subject, entries)]


def incompatibilities(root: Path = ROOT) -> list[str]:
    """One line for each reason why a generated schema does not get on with a released one of its subject."""
    return [
        f"{entry.subject}: {reason} (against id {entry.id})"
        for entry in _entries(root)
        if entry.subject in _generated(root)
        for reason in conflicts(_text(root, entry.subject), _released_text(root, entry))
    ]


def release(root: Path = ROOT) -> list[str]:
    """Gives each changed schema the next id, and makes the protos as they are the baseline. Raises Incompatible."""
    if found := incompatibilities(root):
        raise Incompatible("; ".join(found))
    told = [_give_id(root, subject) for subject in unreleased(root)]
    _keep_protos(root)
    return told


def _give_id(root: Path, subject: str) -> str:
    entries = _entries(root)
    id_ = max((entry.id for entry in entries), default=0) + 1
    version = len(versions(subject, entries)) + 1
    name = f"released/{subject}.{version}.avsc"
    text = _text(root, subject)
    (root / "schemas" / name).write_text(text, encoding="utf-8")
    subjects = _subjects(root)
    subjects.setdefault(subject, []).append(
        {"version": version, "id": id_, "schema": name, "fingerprint": schema_fingerprint(text)}
    )
    (root / "schemas" / FILE).write_text(json.dumps(subjects, indent=2) + "\n", encoding="utf-8")
    return f"{subject} version {version} has the id {id_}"


def _keep_protos(root: Path) -> None:
    proto, baseline = root / "proto", root / "proto" / "baseline"
    shutil.rmtree(baseline / "openagents", ignore_errors=True)
    for name in contract_files(proto):
        (baseline / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(proto / name, baseline / name)


def _is_released(root: Path, subject: str, entries: tuple[Registered, ...]) -> bool:
    found = versions(subject, entries)
    return bool(found) and meaning(_released_text(root, found[-1])) == meaning(_text(root, subject))


def _generated(root: Path) -> list[str]:
    return sorted(path.stem for path in (root / "schemas").glob("*-value.avsc"))


def _text(root: Path, subject: str) -> str:
    return (root / "schemas" / f"{subject}.avsc").read_text(encoding="utf-8")


def _released_text(root: Path, entry: Registered) -> str:
    return (root / "schemas" / entry.schema).read_text(encoding="utf-8")


def _subjects(root: Path) -> Any:
    return json.loads((root / "schemas" / FILE).read_text(encoding="utf-8"))


def _entries(root: Path) -> tuple[Registered, ...]:
    return entries_of(_subjects(root))
