import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from openagents.protocol.v1 import reasons_pb2 as _reasons_pb2
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class RunEvent(_message.Message):
    __slots__ = ("run_id", "seq", "event_type", "emitted_at", "run_started", "text_delta", "tool_call", "tool_result", "run_finished", "unknown")
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    SEQ_FIELD_NUMBER: _ClassVar[int]
    EVENT_TYPE_FIELD_NUMBER: _ClassVar[int]
    EMITTED_AT_FIELD_NUMBER: _ClassVar[int]
    RUN_STARTED_FIELD_NUMBER: _ClassVar[int]
    TEXT_DELTA_FIELD_NUMBER: _ClassVar[int]
    TOOL_CALL_FIELD_NUMBER: _ClassVar[int]
    TOOL_RESULT_FIELD_NUMBER: _ClassVar[int]
    RUN_FINISHED_FIELD_NUMBER: _ClassVar[int]
    UNKNOWN_FIELD_NUMBER: _ClassVar[int]
    run_id: str
    seq: int
    event_type: str
    emitted_at: _timestamp_pb2.Timestamp
    run_started: RunStarted
    text_delta: RunTextDelta
    tool_call: RunToolCall
    tool_result: RunToolResult
    run_finished: RunFinished
    unknown: RunUnknown
    def __init__(self, run_id: _Optional[str] = ..., seq: _Optional[int] = ..., event_type: _Optional[str] = ..., emitted_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., run_started: _Optional[_Union[RunStarted, _Mapping]] = ..., text_delta: _Optional[_Union[RunTextDelta, _Mapping]] = ..., tool_call: _Optional[_Union[RunToolCall, _Mapping]] = ..., tool_result: _Optional[_Union[RunToolResult, _Mapping]] = ..., run_finished: _Optional[_Union[RunFinished, _Mapping]] = ..., unknown: _Optional[_Union[RunUnknown, _Mapping]] = ...) -> None: ...

class RunStarted(_message.Message):
    __slots__ = ("actor",)
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    actor: str
    def __init__(self, actor: _Optional[str] = ...) -> None: ...

class RunTextDelta(_message.Message):
    __slots__ = ("delta",)
    DELTA_FIELD_NUMBER: _ClassVar[int]
    delta: str
    def __init__(self, delta: _Optional[str] = ...) -> None: ...

class RunToolCall(_message.Message):
    __slots__ = ("tool_call_id", "tool_name", "input")
    TOOL_CALL_ID_FIELD_NUMBER: _ClassVar[int]
    TOOL_NAME_FIELD_NUMBER: _ClassVar[int]
    INPUT_FIELD_NUMBER: _ClassVar[int]
    tool_call_id: str
    tool_name: str
    input: str
    def __init__(self, tool_call_id: _Optional[str] = ..., tool_name: _Optional[str] = ..., input: _Optional[str] = ...) -> None: ...

class RunToolResult(_message.Message):
    __slots__ = ("tool_call_id", "tool_name", "state", "reason_code", "output")
    TOOL_CALL_ID_FIELD_NUMBER: _ClassVar[int]
    TOOL_NAME_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    REASON_CODE_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_FIELD_NUMBER: _ClassVar[int]
    tool_call_id: str
    tool_name: str
    state: str
    reason_code: _reasons_pb2.ReasonCode
    output: str
    def __init__(self, tool_call_id: _Optional[str] = ..., tool_name: _Optional[str] = ..., state: _Optional[str] = ..., reason_code: _Optional[_Union[_reasons_pb2.ReasonCode, str]] = ..., output: _Optional[str] = ...) -> None: ...

class RunFinished(_message.Message):
    __slots__ = ("status", "reason_code")
    STATUS_FIELD_NUMBER: _ClassVar[int]
    REASON_CODE_FIELD_NUMBER: _ClassVar[int]
    status: str
    reason_code: _reasons_pb2.ReasonCode
    def __init__(self, status: _Optional[str] = ..., reason_code: _Optional[_Union[_reasons_pb2.ReasonCode, str]] = ...) -> None: ...

class RunUnknown(_message.Message):
    __slots__ = ("body",)
    BODY_FIELD_NUMBER: _ClassVar[int]
    body: str
    def __init__(self, body: _Optional[str] = ...) -> None: ...
