import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from openagents.protocol.v1 import reasons_pb2 as _reasons_pb2
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class CommsSendIntent(_message.Message):
    __slots__ = ("org_id", "user_id", "channel", "provider", "template_id", "recipient", "variables")
    ORG_ID_FIELD_NUMBER: _ClassVar[int]
    USER_ID_FIELD_NUMBER: _ClassVar[int]
    CHANNEL_FIELD_NUMBER: _ClassVar[int]
    PROVIDER_FIELD_NUMBER: _ClassVar[int]
    TEMPLATE_ID_FIELD_NUMBER: _ClassVar[int]
    RECIPIENT_FIELD_NUMBER: _ClassVar[int]
    VARIABLES_FIELD_NUMBER: _ClassVar[int]
    org_id: str
    user_id: int
    channel: str
    provider: str
    template_id: str
    recipient: str
    variables: str
    def __init__(self, org_id: _Optional[str] = ..., user_id: _Optional[int] = ..., channel: _Optional[str] = ..., provider: _Optional[str] = ..., template_id: _Optional[str] = ..., recipient: _Optional[str] = ..., variables: _Optional[str] = ...) -> None: ...

class CommsSendResult(_message.Message):
    __slots__ = ("message_id", "state", "reason_code", "reason_code_text", "provider_metadata")
    MESSAGE_ID_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    REASON_CODE_FIELD_NUMBER: _ClassVar[int]
    REASON_CODE_TEXT_FIELD_NUMBER: _ClassVar[int]
    PROVIDER_METADATA_FIELD_NUMBER: _ClassVar[int]
    message_id: str
    state: str
    reason_code: _reasons_pb2.ReasonCode
    reason_code_text: str
    provider_metadata: str
    def __init__(self, message_id: _Optional[str] = ..., state: _Optional[str] = ..., reason_code: _Optional[_Union[_reasons_pb2.ReasonCode, str]] = ..., reason_code_text: _Optional[str] = ..., provider_metadata: _Optional[str] = ...) -> None: ...

class CommsDeliveryEvent(_message.Message):
    __slots__ = ("event_id", "provider", "delivery_state", "payload", "message_id", "integration_id", "recipient", "occurred_at", "reason")
    EVENT_ID_FIELD_NUMBER: _ClassVar[int]
    PROVIDER_FIELD_NUMBER: _ClassVar[int]
    DELIVERY_STATE_FIELD_NUMBER: _ClassVar[int]
    PAYLOAD_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_ID_FIELD_NUMBER: _ClassVar[int]
    INTEGRATION_ID_FIELD_NUMBER: _ClassVar[int]
    RECIPIENT_FIELD_NUMBER: _ClassVar[int]
    OCCURRED_AT_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    event_id: str
    provider: str
    delivery_state: str
    payload: str
    message_id: str
    integration_id: str
    recipient: str
    occurred_at: _timestamp_pb2.Timestamp
    reason: str
    def __init__(self, event_id: _Optional[str] = ..., provider: _Optional[str] = ..., delivery_state: _Optional[str] = ..., payload: _Optional[str] = ..., message_id: _Optional[str] = ..., integration_id: _Optional[str] = ..., recipient: _Optional[str] = ..., occurred_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., reason: _Optional[str] = ...) -> None: ...
