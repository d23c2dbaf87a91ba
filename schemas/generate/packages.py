"""The Python packages of the contracts: `from openagents.protocol.v1 import CodexWorker` finds it without its file."""

from collections.abc import Iterator
from itertools import groupby
from pathlib import PurePosixPath

from schemas.generate.descriptors import File

_MADE = "Made by `python -m schemas.generate`; not to be edited."


def modules(files: list[File]) -> Iterator[tuple[str, str]]:
    """Path under `proto` and text of each `__init__.py`."""
    by_folder = sorted((file for file in files if file.messages or file.descriptor.enum_type), key=_folder)
    folders = {parent for file in by_folder for parent in PurePosixPath(file.name).parents} - {PurePosixPath(".")}
    contents = {folder: list(found) for folder, found in groupby(by_folder, _folder)}
    for folder in sorted(folders):
        yield f"{folder}/__init__.py", _module(folder, contents.get(folder, []))


def _folder(file: File) -> PurePosixPath:
    return PurePosixPath(file.name).parent


def _module(folder: PurePosixPath, files: list[File]) -> str:
    package = ".".join(folder.parts)
    lines = [f'"""The contracts of package {package}. {_MADE}"""']
    names = {file.name: sorted(_names(file)) for file in files}
    if files:
        lines += ["", *(_import(file, names[file.name]) for file in sorted(files, key=lambda file: file.name))]
        exported = sorted(name for found in names.values() for name in found)
        lines += ["", "__all__ = [", *(f'    "{name}",' for name in exported), "]"]
    return "\n".join(lines) + "\n"


def _names(file: File) -> list[str]:
    return [message.name for message in file.messages] + [enum.name for enum in file.descriptor.enum_type]


def _import(file: File, names: list[str]) -> str:
    module = file.name.removesuffix(".proto").replace("/", ".") + "_pb2"
    return "\n".join([f"from {module} import (", *(f"    {name}," for name in names), ")"])
