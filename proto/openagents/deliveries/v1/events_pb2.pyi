import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from openagents.log.v1 import options_pb2 as _options_pb2
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class DeliveryLogEvent(_message.Message):
    __slots__ = ("position", "kind", "stream", "seq", "type", "version", "owner", "recorded_at", "digest", "open_payload", "delivery_recorded")
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
    DELIVERY_RECORDED_FIELD_NUMBER: _ClassVar[int]
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
    delivery_recorded: DeliveryRecorded
    def __init__(self, position: _Optional[int] = ..., kind: _Optional[str] = ..., stream: _Optional[str] = ..., seq: _Optional[int] = ..., type: _Optional[str] = ..., version: _Optional[int] = ..., owner: _Optional[str] = ..., recorded_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., digest: _Optional[bytes] = ..., open_payload: _Optional[_Union[OpenPayload, _Mapping]] = ..., delivery_recorded: _Optional[_Union[DeliveryRecorded, _Mapping]] = ...) -> None: ...

class OpenPayload(_message.Message):
    __slots__ = ("json",)
    JSON_FIELD_NUMBER: _ClassVar[int]
    json: str
    def __init__(self, json: _Optional[str] = ...) -> None: ...

class DeliveryRecorded(_message.Message):
    __slots__ = ("event_id", "provider", "delivery_state", "payload", "payload_hash", "message_id", "integration_id", "recipient", "occurred_at", "reason")
    EVENT_ID_FIELD_NUMBER: _ClassVar[int]
    PROVIDER_FIELD_NUMBER: _ClassVar[int]
    DELIVERY_STATE_FIELD_NUMBER: _ClassVar[int]
    PAYLOAD_FIELD_NUMBER: _ClassVar[int]
    PAYLOAD_HASH_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_ID_FIELD_NUMBER: _ClassVar[int]
    INTEGRATION_ID_FIELD_NUMBER: _ClassVar[int]
    RECIPIENT_FIELD_NUMBER: _ClassVar[int]
    OCCURRED_AT_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    event_id: str
    provider: str
    delivery_state: str
    payload: str
    payload_hash: str
    message_id: str
    integration_id: str
    recipient: str
    occurred_at: str
    reason: str
    def __init__(self, event_id: _Optional[str] = ..., provider: _Optional[str] = ..., delivery_state: _Optional[str] = ..., payload: _Optional[str] = ..., payload_hash: _Optional[str] = ..., message_id: _Optional[str] = ..., integration_id: _Optional[str] = ..., recipient: _Optional[str] = ..., occurred_at: _Optional[str] = ..., reason: _Optional[str] = ...) -> None: ...
