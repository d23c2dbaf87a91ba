import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from openagents.log.v1 import options_pb2 as _options_pb2
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class NotificationEvent(_message.Message):
    __slots__ = ("position", "kind", "stream", "seq", "type", "version", "owner", "recorded_at", "digest", "open_payload", "notification_raised", "notification_cleared")
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
    NOTIFICATION_RAISED_FIELD_NUMBER: _ClassVar[int]
    NOTIFICATION_CLEARED_FIELD_NUMBER: _ClassVar[int]
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
    notification_raised: NotificationRaised
    notification_cleared: NotificationCleared
    def __init__(self, position: _Optional[int] = ..., kind: _Optional[str] = ..., stream: _Optional[str] = ..., seq: _Optional[int] = ..., type: _Optional[str] = ..., version: _Optional[int] = ..., owner: _Optional[str] = ..., recorded_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., digest: _Optional[bytes] = ..., open_payload: _Optional[_Union[OpenPayload, _Mapping]] = ..., notification_raised: _Optional[_Union[NotificationRaised, _Mapping]] = ..., notification_cleared: _Optional[_Union[NotificationCleared, _Mapping]] = ...) -> None: ...

class OpenPayload(_message.Message):
    __slots__ = ("json",)
    JSON_FIELD_NUMBER: _ClassVar[int]
    json: str
    def __init__(self, json: _Optional[str] = ...) -> None: ...

class NotificationRaised(_message.Message):
    __slots__ = ("notification_id", "cause", "title", "subject")
    NOTIFICATION_ID_FIELD_NUMBER: _ClassVar[int]
    CAUSE_FIELD_NUMBER: _ClassVar[int]
    TITLE_FIELD_NUMBER: _ClassVar[int]
    SUBJECT_FIELD_NUMBER: _ClassVar[int]
    notification_id: str
    cause: str
    title: str
    subject: str
    def __init__(self, notification_id: _Optional[str] = ..., cause: _Optional[str] = ..., title: _Optional[str] = ..., subject: _Optional[str] = ...) -> None: ...

class NotificationCleared(_message.Message):
    __slots__ = ("notification_id", "cause")
    NOTIFICATION_ID_FIELD_NUMBER: _ClassVar[int]
    CAUSE_FIELD_NUMBER: _ClassVar[int]
    notification_id: str
    cause: str
    def __init__(self, notification_id: _Optional[str] = ..., cause: _Optional[str] = ...) -> None: ...
