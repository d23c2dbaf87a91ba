"""What travels beside a value on Kafka: CloudEvents 1.0 attributes in binary mode, and the relay's own (DESIGN §5)."""

from collections.abc import Iterable
from typing import Final, NamedTuple

from schemas import avro
from schemas.events import Recorded
from schemas.times import iso6

Headers = list[tuple[str, bytes]]

_SOURCE: Final = b"/oa/log"
_CONTENT_TYPE: Final = b"application/avro"
_TRACEPARENT: Final = "traceparent"


class Place(NamedTuple):
    """Where a record stands: its position in the log, and the position of the record before it in its partition.

    `previous` is 0 in the first record of a partition; a reader that sees another `previous` than the position it
    read last has a hole to fill from the log.
    """

    position: int
    previous: int
    seq: int
    epoch: int


class Origin(NamedTuple):
    """Which event a record is of: two histories of a log may use one position, but not for the same event."""

    stream: str
    seq: int
    recorded_at: str


class NotARelayRecord(ValueError):
    """A record without the headers that the relay always writes."""


def headers(event: Recorded, *, previous: int, epoch: int) -> Headers:
    """The headers of `event`'s record when `previous` is the position before it in the same partition."""
    written = [
        ("ce_specversion", b"1.0"),
        ("ce_id", b"%d-%d" % (epoch, event.position)),
        ("ce_source", _SOURCE),
        ("ce_type", event.type.encode()),
        ("ce_subject", event.stream.encode()),
        ("ce_time", iso6(event.recorded_at).encode()),
        ("content-type", _CONTENT_TYPE),
        ("oa_position", b"%d" % event.position),
        ("oa_prev", b"%d" % previous),
        ("oa_seq", b"%d" % event.seq),
        ("oa_epoch", b"%d" % epoch),
    ]
    if traceparent := event.headers.get(_TRACEPARENT):
        written.append((_TRACEPARENT, traceparent.encode()))
    return written


def place(record_headers: Iterable[tuple[str, bytes]]) -> Place:
    """The inverse of `headers` for the relay's own part; raises NotARelayRecord."""
    found = dict(record_headers)
    try:
        return Place(*(int(found[name]) for name in ("oa_position", "oa_prev", "oa_seq", "oa_epoch")))
    except (KeyError, ValueError) as error:
        raise NotARelayRecord(f"not written by the relay: {error!r}") from error


def type_of(record_headers: Iterable[tuple[str, bytes]]) -> str:
    """The event's type, without a look at the value; raises NotARelayRecord."""
    for name, text in record_headers:
        if name == "ce_type":
            return text.decode()
    raise NotARelayRecord("not written by the relay: it has no ce_type")


def origin(record_headers: Iterable[tuple[str, bytes]]) -> Origin:
    """Whose record this is; raises NotARelayRecord."""
    found = dict(record_headers)
    try:
        return Origin(found["ce_subject"].decode(), int(found["oa_seq"]), found["ce_time"].decode())
    except (KeyError, ValueError) as error:
        raise NotARelayRecord(f"not written by the relay: {error!r}") from error


def origin_of(event: Recorded) -> Origin:
    """What `origin` finds in the record of an event."""
    return Origin(event.stream, event.seq, iso6(event.recorded_at))


def event(value: bytes, record_headers: Iterable[tuple[str, bytes]]) -> Recorded:
    """The committed event a record carries."""
    carried = {name: text.decode() for name, text in record_headers if name == _TRACEPARENT}
    return avro.decode(value, carried)
