"""The contracts as protoc sees them: files with their comments, and its own Python bindings."""

import tempfile
from collections.abc import Iterator, Sequence
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from typing import Final, NamedTuple

from google.protobuf.descriptor_pb2 import DescriptorProto, FieldDescriptorProto, FileDescriptorProto, FileDescriptorSet

PROTO: Final = Path(__file__).parents[2] / "proto"

# places of things in a FileDescriptorProto, as its SourceCodeInfo numbers them
_SYNTAX, _MESSAGE, _FIELD, _ONEOF = 12, 4, 2, 8


class ProtocError(Exception):
    """protoc refused the protos; it has said why on stderr."""


class Field(NamedTuple):
    """A field of a message; `members` are those of a oneof."""

    name: str
    descriptor: FieldDescriptorProto
    doc: str
    members: tuple[FieldDescriptorProto, ...] = ()


class Message(NamedTuple):
    name: str
    descriptor: DescriptorProto
    doc: str
    fields: tuple[Field, ...]


class File(NamedTuple):
    """A file of the contracts; `messages` in the order they are written in."""

    name: str
    package: str
    doc: str
    descriptor: FileDescriptorProto
    messages: tuple[Message, ...]


def readable(proto: Path = PROTO) -> bool:
    """Whether protos and protoc are here; only a checkout has the ones, and the tests' requirements the other."""
    return proto.exists() and find_spec("grpc_tools") is not None


def contract_files(proto: Path = PROTO) -> list[str]:
    """Names of the contracts' files, without the baseline."""
    return sorted(path.relative_to(proto).as_posix() for path in (proto / "openagents").rglob("*.proto"))


def read(proto: Path = PROTO) -> list[File]:
    with tempfile.TemporaryDirectory() as folder:
        image = Path(folder) / "image.binpb"
        _protoc(proto, ["--include_source_info", f"--descriptor_set_out={image}"])
        return [_file(descriptor) for descriptor in FileDescriptorSet.FromString(image.read_bytes()).file]


def bindings(proto: Path = PROTO) -> dict[str, str]:
    """Text of each `_pb2` module and its stub, by path under `proto`."""
    with tempfile.TemporaryDirectory() as folder:
        _protoc(proto, [f"--python_out={folder}", f"--pyi_out={folder}"])
        made = sorted(path for path in Path(folder).rglob("*_pb2.py*"))
        return {path.relative_to(folder).as_posix(): path.read_text(encoding="utf-8") for path in made}


def _protoc(proto: Path, options: Sequence[str]) -> None:
    from grpc_tools import protoc

    well_known = files("grpc_tools") / "_proto"
    if protoc.main(["protoc", f"-I{proto}", f"-I{well_known}", *options, *contract_files(proto)]):
        raise ProtocError("protoc refused the protos")


def _file(descriptor: FileDescriptorProto) -> File:
    docs = {tuple(place.path): _sentence(place.leading_comments) for place in descriptor.source_code_info.location}
    messages = tuple(
        Message(message.name, message, docs.get((_MESSAGE, at), ""), tuple(_fields(message, at, docs)))
        for at, message in enumerate(descriptor.message_type)
    )
    return File(descriptor.name, descriptor.package, docs.get((_SYNTAX,), ""), descriptor, messages)


def _fields(message: DescriptorProto, at: int, docs: dict[tuple[int, ...], str]) -> Iterator[Field]:
    """Fields in the order they are written in; a oneof is one field."""
    seen: set[int] = set()
    for number, field in enumerate(message.field):
        if not field.HasField("oneof_index") or field.proto3_optional:
            yield Field(field.name, field, docs.get((_MESSAGE, at, _FIELD, number), ""))
        elif (oneof := field.oneof_index) not in seen:
            seen.add(oneof)
            members = tuple(m for m in message.field if m.HasField("oneof_index") and m.oneof_index == oneof)
            name = message.oneof_decl[oneof].name
            yield Field(name, field, docs.get((_MESSAGE, at, _ONEOF, oneof), ""), members)


def _sentence(comment: str) -> str:
    """The first paragraph on one line."""
    return " ".join(comment.strip().partition("\n\n")[0].split())
