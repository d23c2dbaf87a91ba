"""Everything that is made from the protos, as texts by path; and how it differs from what is checked in."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from schemas.generate import avro_schemas, descriptors, packages, structs
from schemas.generate.descriptors import File
from schemas.generate.options import topic_of

ROOT: Final = Path(__file__).parents[2]
_MADE: Final = ("proto/openagents/**/*.py", "proto/openagents/**/*.pyi", "schemas/*_generated.py", "schemas/*.avsc")


def outputs(root: Path = ROOT) -> dict[str, str]:
    """Text by path under the repository's folder."""
    return dict(_outputs(root / "proto"))


def differences(made: dict[str, str], root: Path = ROOT) -> list[str]:
    """One line for each file that is not what the generator makes."""
    here = {path.relative_to(root).as_posix() for pattern in _MADE for path in root.glob(pattern)}
    lines = [f"{path} is not made by the generator any more" for path in sorted(here - made.keys())]
    lines += [f"{path} is missing" for path in sorted(made.keys() - here)]
    return lines + [
        f"{path} is not what the generator makes"
        for path in sorted(made.keys() & here)
        if (root / path).read_text(encoding="utf-8") != made[path]
    ]


def write(made: dict[str, str], root: Path = ROOT) -> None:
    for pattern in _MADE:
        for path in root.glob(pattern):
            if path.relative_to(root).as_posix() not in made:
                path.unlink()
    for name, text in made.items():
        (root / name).write_text(text, encoding="utf-8")


def _outputs(proto: Path) -> Iterator[tuple[str, str]]:
    files = descriptors.read(proto)
    for path, text in (*descriptors.bindings(proto).items(), *packages.modules(files)):
        yield f"proto/{path}", text
    for file in files:
        yield from _of_topics(file)


def _of_topics(file: File) -> Iterator[tuple[str, str]]:
    for message in file.messages:
        if topic := topic_of(message):
            yield f"schemas/{topic.rpartition('.')[2]}_generated.py", structs.module(file, message)
            yield f"schemas/{topic}-value.avsc", avro_schemas.schema(file, message)
