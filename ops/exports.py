"""Events of the log as files for other tools: JSON lines or Parquet, written aside and renamed when complete."""

import os
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from schemas import canonical_json
from schemas.events import Payload, Recorded
from schemas.times import iso6

if TYPE_CHECKING:
    import pyarrow

ROWS_A_GROUP = 20_000
BYTES_A_GROUP = 16 << 20


class ExportRefused(Exception):
    """The file cannot be written as asked."""


class Writer(ABC):
    """Takes events in order; `close` completes the file."""

    @abstractmethod
    def write(self, events: Sequence[Recorded]) -> None: ...

    @abstractmethod
    def close(self) -> None: ...


class JsonLines(Writer):
    """One object a line, as `oa log show --json` prints it."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("wb")

    def write(self, events: Sequence[Recorded]) -> None:
        self._file.writelines(canonical_json.in_given_order(as_object(event)) + b"\n" for event in events)

    def close(self) -> None:
        self._file.close()


class Parquet(Writer):
    """One column a field, payload and headers as JSON text; groups of bounded size."""

    def __init__(self, path: Path) -> None:
        import pyarrow
        from pyarrow import parquet

        self._pyarrow = pyarrow
        self._schema = _schema(pyarrow)
        self._writer = parquet.ParquetWriter(path, self._schema, compression="zstd")
        self._rows: list[Payload] = []
        self._bytes = 0

    def write(self, events: Sequence[Recorded]) -> None:
        for event in events:
            payload, headers = (canonical_json.in_given_order(part).decode() for part in (event.payload, event.headers))
            self._rows.append(msgspec.structs.asdict(event) | {"payload": payload, "headers": headers})
            self._bytes += len(payload)
            if len(self._rows) >= ROWS_A_GROUP or self._bytes >= BYTES_A_GROUP:
                self._flush()

    def close(self) -> None:
        self._flush()
        self._writer.close()

    def _flush(self) -> None:
        if self._rows:
            self._writer.write_batch(self._pyarrow.RecordBatch.from_pylist(self._rows, schema=self._schema))
        self._rows, self._bytes = [], 0


def as_object(event: Recorded) -> Payload:
    """An event as scripts get it: times as ISO-8601 UTC, the digest in hexadecimal."""
    return msgspec.structs.asdict(event) | {"recorded_at": iso6(event.recorded_at), "digest": event.digest.hex()}


async def export(pages: AsyncIterator[Sequence[Recorded]], path: Path) -> int:
    """How many events the file has; its suffix, `.jsonl` or `.parquet`, says which kind it is."""
    written = 0
    with _complete(path) as writer:
        async for events in pages:
            writer.write(events)
            written += len(events)
    return written


@contextmanager
def _complete(path: Path) -> Iterator[Writer]:
    """What is there under this name is replaced by the whole file, or stays as it was."""
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        writer = _writer(path.suffix, aside)
        try:
            yield writer
        finally:
            writer.close()
        _keep(aside)
        aside.replace(path)
    except OSError as error:
        raise ExportRefused(f"{path} cannot be written: {error}") from error
    finally:
        aside.unlink(missing_ok=True)


def _writer(suffix: str, path: Path) -> Writer:
    match suffix:
        case ".jsonl":
            return JsonLines(path)
        case ".parquet":
            try:
                return Parquet(path)
            except ModuleNotFoundError:
                raise ExportRefused("Parquet needs pyarrow: pip install 'openagents-backend[parquet]'") from None
    raise ExportRefused(f"the file's name must end with .jsonl or .parquet, not {suffix!r}")


def _keep(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())


def _schema(pyarrow: Any) -> "pyarrow.Schema":
    text, number = pyarrow.string(), pyarrow.int64()
    return pyarrow.schema(
        {
            "position": number,
            "kind": text,
            "stream": text,
            "seq": number,
            "type": text,
            "version": pyarrow.int32(),
            "owner": text,
            "payload": text,
            "digest": pyarrow.binary(32),
            "headers": text,
            "recorded_at": pyarrow.timestamp("us", tz="UTC"),
        }
    )
