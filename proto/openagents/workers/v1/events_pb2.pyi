import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf import wrappers_pb2 as _wrappers_pb2
from openagents.log.v1 import options_pb2 as _options_pb2
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class WorkerEvent(_message.Message):
    __slots__ = ("position", "kind", "stream", "seq", "type", "version", "owner", "recorded_at", "digest", "open_payload", "worker_started", "worker_request_received", "worker_response", "worker_stopped", "worker_error", "worker_request_claimed", "worker_message_claimed", "worker_message_expired", "worker_turn_usage", "worker_limits_set", "worker_approval_requested", "worker_approval_answered")
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
    WORKER_STARTED_FIELD_NUMBER: _ClassVar[int]
    WORKER_REQUEST_RECEIVED_FIELD_NUMBER: _ClassVar[int]
    WORKER_RESPONSE_FIELD_NUMBER: _ClassVar[int]
    WORKER_STOPPED_FIELD_NUMBER: _ClassVar[int]
    WORKER_ERROR_FIELD_NUMBER: _ClassVar[int]
    WORKER_REQUEST_CLAIMED_FIELD_NUMBER: _ClassVar[int]
    WORKER_MESSAGE_CLAIMED_FIELD_NUMBER: _ClassVar[int]
    WORKER_MESSAGE_EXPIRED_FIELD_NUMBER: _ClassVar[int]
    WORKER_TURN_USAGE_FIELD_NUMBER: _ClassVar[int]
    WORKER_LIMITS_SET_FIELD_NUMBER: _ClassVar[int]
    WORKER_APPROVAL_REQUESTED_FIELD_NUMBER: _ClassVar[int]
    WORKER_APPROVAL_ANSWERED_FIELD_NUMBER: _ClassVar[int]
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
    worker_started: WorkerStarted
    worker_request_received: WorkerRequestReceived
    worker_response: WorkerResponse
    worker_stopped: WorkerStopped
    worker_error: WorkerError
    worker_request_claimed: WorkerRequestClaimed
    worker_message_claimed: WorkerMessageClaimed
    worker_message_expired: WorkerMessageExpired
    worker_turn_usage: WorkerTurnUsage
    worker_limits_set: WorkerLimitsSet
    worker_approval_requested: WorkerApprovalRequested
    worker_approval_answered: WorkerApprovalAnswered
    def __init__(self, position: _Optional[int] = ..., kind: _Optional[str] = ..., stream: _Optional[str] = ..., seq: _Optional[int] = ..., type: _Optional[str] = ..., version: _Optional[int] = ..., owner: _Optional[str] = ..., recorded_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., digest: _Optional[bytes] = ..., open_payload: _Optional[_Union[OpenPayload, _Mapping]] = ..., worker_started: _Optional[_Union[WorkerStarted, _Mapping]] = ..., worker_request_received: _Optional[_Union[WorkerRequestReceived, _Mapping]] = ..., worker_response: _Optional[_Union[WorkerResponse, _Mapping]] = ..., worker_stopped: _Optional[_Union[WorkerStopped, _Mapping]] = ..., worker_error: _Optional[_Union[WorkerError, _Mapping]] = ..., worker_request_claimed: _Optional[_Union[WorkerRequestClaimed, _Mapping]] = ..., worker_message_claimed: _Optional[_Union[WorkerMessageClaimed, _Mapping]] = ..., worker_message_expired: _Optional[_Union[WorkerMessageExpired, _Mapping]] = ..., worker_turn_usage: _Optional[_Union[WorkerTurnUsage, _Mapping]] = ..., worker_limits_set: _Optional[_Union[WorkerLimitsSet, _Mapping]] = ..., worker_approval_requested: _Optional[_Union[WorkerApprovalRequested, _Mapping]] = ..., worker_approval_answered: _Optional[_Union[WorkerApprovalAnswered, _Mapping]] = ...) -> None: ...

class OpenPayload(_message.Message):
    __slots__ = ("json",)
    JSON_FIELD_NUMBER: _ClassVar[int]
    json: str
    def __init__(self, json: _Optional[str] = ...) -> None: ...

class WorkerStarted(_message.Message):
    __slots__ = ("status", "adapter", "workspace_ref", "codex_home_ref", "metadata", "reason")
    STATUS_FIELD_NUMBER: _ClassVar[int]
    ADAPTER_FIELD_NUMBER: _ClassVar[int]
    WORKSPACE_REF_FIELD_NUMBER: _ClassVar[int]
    CODEX_HOME_REF_FIELD_NUMBER: _ClassVar[int]
    METADATA_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    status: str
    adapter: str
    workspace_ref: _wrappers_pb2.StringValue
    codex_home_ref: _wrappers_pb2.StringValue
    metadata: str
    reason: str
    def __init__(self, status: _Optional[str] = ..., adapter: _Optional[str] = ..., workspace_ref: _Optional[_Union[_wrappers_pb2.StringValue, _Mapping]] = ..., codex_home_ref: _Optional[_Union[_wrappers_pb2.StringValue, _Mapping]] = ..., metadata: _Optional[str] = ..., reason: _Optional[str] = ...) -> None: ...

class WorkerRequestReceived(_message.Message):
    __slots__ = ("request_id", "method", "params", "deadline", "requested_by")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    METHOD_FIELD_NUMBER: _ClassVar[int]
    PARAMS_FIELD_NUMBER: _ClassVar[int]
    DEADLINE_FIELD_NUMBER: _ClassVar[int]
    REQUESTED_BY_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    method: str
    params: str
    deadline: str
    requested_by: str
    def __init__(self, request_id: _Optional[str] = ..., method: _Optional[str] = ..., params: _Optional[str] = ..., deadline: _Optional[str] = ..., requested_by: _Optional[str] = ...) -> None: ...

class WorkerResponse(_message.Message):
    __slots__ = ("request_id", "response")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    RESPONSE_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    response: str
    def __init__(self, request_id: _Optional[str] = ..., response: _Optional[str] = ...) -> None: ...

class WorkerStopped(_message.Message):
    __slots__ = ("reason",)
    REASON_FIELD_NUMBER: _ClassVar[int]
    reason: str
    def __init__(self, reason: _Optional[str] = ...) -> None: ...

class WorkerError(_message.Message):
    __slots__ = ("request_id", "response")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    RESPONSE_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    response: str
    def __init__(self, request_id: _Optional[str] = ..., response: _Optional[str] = ...) -> None: ...

class WorkerRequestClaimed(_message.Message):
    __slots__ = ("request_id", "claim_id", "daemon_id")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    CLAIM_ID_FIELD_NUMBER: _ClassVar[int]
    DAEMON_ID_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    claim_id: str
    daemon_id: str
    def __init__(self, request_id: _Optional[str] = ..., claim_id: _Optional[str] = ..., daemon_id: _Optional[str] = ...) -> None: ...

class WorkerMessageClaimed(_message.Message):
    __slots__ = ("message_id", "seq", "claim_id", "daemon_id")
    MESSAGE_ID_FIELD_NUMBER: _ClassVar[int]
    SEQ_FIELD_NUMBER: _ClassVar[int]
    CLAIM_ID_FIELD_NUMBER: _ClassVar[int]
    DAEMON_ID_FIELD_NUMBER: _ClassVar[int]
    message_id: str
    seq: int
    claim_id: str
    daemon_id: str
    def __init__(self, message_id: _Optional[str] = ..., seq: _Optional[int] = ..., claim_id: _Optional[str] = ..., daemon_id: _Optional[str] = ...) -> None: ...

class WorkerMessageExpired(_message.Message):
    __slots__ = ("message_id",)
    MESSAGE_ID_FIELD_NUMBER: _ClassVar[int]
    message_id: str
    def __init__(self, message_id: _Optional[str] = ...) -> None: ...

class WorkerTurnUsage(_message.Message):
    __slots__ = ("thread_id", "turn_id", "outcome", "input_tokens", "cached_input_tokens", "output_tokens", "reasoning_output_tokens", "total_tokens", "model")
    THREAD_ID_FIELD_NUMBER: _ClassVar[int]
    TURN_ID_FIELD_NUMBER: _ClassVar[int]
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    INPUT_TOKENS_FIELD_NUMBER: _ClassVar[int]
    CACHED_INPUT_TOKENS_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_TOKENS_FIELD_NUMBER: _ClassVar[int]
    REASONING_OUTPUT_TOKENS_FIELD_NUMBER: _ClassVar[int]
    TOTAL_TOKENS_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    thread_id: str
    turn_id: str
    outcome: str
    input_tokens: int
    cached_input_tokens: int
    output_tokens: int
    reasoning_output_tokens: int
    total_tokens: int
    model: str
    def __init__(self, thread_id: _Optional[str] = ..., turn_id: _Optional[str] = ..., outcome: _Optional[str] = ..., input_tokens: _Optional[int] = ..., cached_input_tokens: _Optional[int] = ..., output_tokens: _Optional[int] = ..., reasoning_output_tokens: _Optional[int] = ..., total_tokens: _Optional[int] = ..., model: _Optional[str] = ...) -> None: ...

class WorkerLimitsSet(_message.Message):
    __slots__ = ("turn_tokens", "day_tokens", "set_by")
    TURN_TOKENS_FIELD_NUMBER: _ClassVar[int]
    DAY_TOKENS_FIELD_NUMBER: _ClassVar[int]
    SET_BY_FIELD_NUMBER: _ClassVar[int]
    turn_tokens: int
    day_tokens: int
    set_by: str
    def __init__(self, turn_tokens: _Optional[int] = ..., day_tokens: _Optional[int] = ..., set_by: _Optional[str] = ...) -> None: ...

class WorkerApprovalRequested(_message.Message):
    __slots__ = ("approval_id", "kind", "thread_id", "turn_id", "item_id", "choices", "expires_at", "command", "cwd", "reason", "changes")
    APPROVAL_ID_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    THREAD_ID_FIELD_NUMBER: _ClassVar[int]
    TURN_ID_FIELD_NUMBER: _ClassVar[int]
    ITEM_ID_FIELD_NUMBER: _ClassVar[int]
    CHOICES_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_AT_FIELD_NUMBER: _ClassVar[int]
    COMMAND_FIELD_NUMBER: _ClassVar[int]
    CWD_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    CHANGES_FIELD_NUMBER: _ClassVar[int]
    approval_id: str
    kind: str
    thread_id: str
    turn_id: str
    item_id: str
    choices: str
    expires_at: str
    command: str
    cwd: str
    reason: str
    changes: str
    def __init__(self, approval_id: _Optional[str] = ..., kind: _Optional[str] = ..., thread_id: _Optional[str] = ..., turn_id: _Optional[str] = ..., item_id: _Optional[str] = ..., choices: _Optional[str] = ..., expires_at: _Optional[str] = ..., command: _Optional[str] = ..., cwd: _Optional[str] = ..., reason: _Optional[str] = ..., changes: _Optional[str] = ...) -> None: ...

class WorkerApprovalAnswered(_message.Message):
    __slots__ = ("approval_id", "decision", "cause", "answered_by", "request_id")
    APPROVAL_ID_FIELD_NUMBER: _ClassVar[int]
    DECISION_FIELD_NUMBER: _ClassVar[int]
    CAUSE_FIELD_NUMBER: _ClassVar[int]
    ANSWERED_BY_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    approval_id: str
    decision: str
    cause: str
    answered_by: str
    request_id: str
    def __init__(self, approval_id: _Optional[str] = ..., decision: _Optional[str] = ..., cause: _Optional[str] = ..., answered_by: _Optional[str] = ..., request_id: _Optional[str] = ...) -> None: ...
