import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from openagents.log.v1 import options_pb2 as _options_pb2
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class PolicyEvent(_message.Message):
    __slots__ = ("position", "kind", "stream", "seq", "type", "version", "owner", "recorded_at", "digest", "open_payload", "policy_proposed", "policy_activated", "policy_retired")
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
    POLICY_PROPOSED_FIELD_NUMBER: _ClassVar[int]
    POLICY_ACTIVATED_FIELD_NUMBER: _ClassVar[int]
    POLICY_RETIRED_FIELD_NUMBER: _ClassVar[int]
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
    policy_proposed: PolicyProposed
    policy_activated: PolicyActivated
    policy_retired: PolicyRetired
    def __init__(self, position: _Optional[int] = ..., kind: _Optional[str] = ..., stream: _Optional[str] = ..., seq: _Optional[int] = ..., type: _Optional[str] = ..., version: _Optional[int] = ..., owner: _Optional[str] = ..., recorded_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., digest: _Optional[bytes] = ..., open_payload: _Optional[_Union[OpenPayload, _Mapping]] = ..., policy_proposed: _Optional[_Union[PolicyProposed, _Mapping]] = ..., policy_activated: _Optional[_Union[PolicyActivated, _Mapping]] = ..., policy_retired: _Optional[_Union[PolicyRetired, _Mapping]] = ...) -> None: ...

class OpenPayload(_message.Message):
    __slots__ = ("json",)
    JSON_FIELD_NUMBER: _ClassVar[int]
    json: str
    def __init__(self, json: _Optional[str] = ...) -> None: ...

class PolicyProposed(_message.Message):
    __slots__ = ("name", "policy_version", "document", "document_hash")
    NAME_FIELD_NUMBER: _ClassVar[int]
    POLICY_VERSION_FIELD_NUMBER: _ClassVar[int]
    DOCUMENT_FIELD_NUMBER: _ClassVar[int]
    DOCUMENT_HASH_FIELD_NUMBER: _ClassVar[int]
    name: str
    policy_version: int
    document: str
    document_hash: str
    def __init__(self, name: _Optional[str] = ..., policy_version: _Optional[int] = ..., document: _Optional[str] = ..., document_hash: _Optional[str] = ...) -> None: ...

class PolicyActivated(_message.Message):
    __slots__ = ("name", "policy_version")
    NAME_FIELD_NUMBER: _ClassVar[int]
    POLICY_VERSION_FIELD_NUMBER: _ClassVar[int]
    name: str
    policy_version: int
    def __init__(self, name: _Optional[str] = ..., policy_version: _Optional[int] = ...) -> None: ...

class PolicyRetired(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...
