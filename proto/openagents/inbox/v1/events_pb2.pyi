import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from openagents.log.v1 import options_pb2 as _options_pb2
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class InboxEvent(_message.Message):
    __slots__ = ("position", "kind", "stream", "seq", "type", "version", "owner", "recorded_at", "digest", "open_payload", "frame_received")
    POSITION_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    STREAM_FIELD_NUMBER: _ClassVar[int]
    SEQ_FIELD_NUMBER: _ClassVar[int]
    TYPE_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    OWNER_FIELD_NUMBER: _ClassVar[int]
    RECORDED_AT_FIELD_NUMBER: _ClassVar[int]
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    OPEN_PAYLOAD_FIELD_NUMBER: _ClassVar[int]
    FRAME_RECEIVED_FIELD_NUMBER: _ClassVar[int]
    position: int
    kind: str
    stream: str
    seq: int
    type: str
    version: int
    owner: str
    recorded_at: _timestamp_pb2.Timestamp
    digest: bytes
    open_payload: OpenPayload
    frame_received: FrameReceived
    def __init__(self, position: _Optional[int] = ..., kind: _Optional[str] = ..., stream: _Optional[str] = ..., seq: _Optional[int] = ..., type: _Optional[str] = ..., version: _Optional[int] = ..., owner: _Optional[str] = ..., recorded_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., digest: _Optional[bytes] = ..., open_payload: _Optional[_Union[OpenPayload, _Mapping]] = ..., frame_received: _Optional[_Union[FrameReceived, _Mapping]] = ...) -> None: ...

class OpenPayload(_message.Message):
    __slots__ = ("json",)
    JSON_FIELD_NUMBER: _ClassVar[int]
    json: str
    def __init__(self, json: _Optional[str] = ...) -> None: ...

class FrameReceived(_message.Message):
    __slots__ = ("frame_id", "frame_type", "payload", "payload_hash", "occurred_at")
    FRAME_ID_FIELD_NUMBER: _ClassVar[int]
    FRAME_TYPE_FIELD_NUMBER: _ClassVar[int]
    PAYLOAD_FIELD_NUMBER: _ClassVar[int]
    PAYLOAD_HASH_FIELD_NUMBER: _ClassVar[int]
    OCCURRED_AT_FIELD_NUMBER: _ClassVar[int]
    frame_id: str
    frame_type: str
    payload: str
    payload_hash: str
    occurred_at: str
    def __init__(self, frame_id: _Optional[str] = ..., frame_type: _Optional[str] = ..., payload: _Optional[str] = ..., payload_hash: _Optional[str] = ..., occurred_at: _Optional[str] = ...) -> None: ...
