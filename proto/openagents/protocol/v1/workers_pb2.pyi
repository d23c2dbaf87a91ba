import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from openagents.protocol.v1 import reasons_pb2 as _reasons_pb2
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class CodexExecutionMode(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    CODEX_EXECUTION_MODE_UNSPECIFIED: _ClassVar[CodexExecutionMode]
    CODEX_EXECUTION_MODE_DESKTOP: _ClassVar[CodexExecutionMode]
    CODEX_EXECUTION_MODE_SANDBOX: _ClassVar[CodexExecutionMode]

class CodexAuthHydrationState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    CODEX_AUTH_HYDRATION_STATE_UNSPECIFIED: _ClassVar[CodexAuthHydrationState]
    CODEX_AUTH_HYDRATION_STATE_UNAUTHENTICATED: _ClassVar[CodexAuthHydrationState]
    CODEX_AUTH_HYDRATION_STATE_ERROR: _ClassVar[CodexAuthHydrationState]
CODEX_EXECUTION_MODE_UNSPECIFIED: CodexExecutionMode
CODEX_EXECUTION_MODE_DESKTOP: CodexExecutionMode
CODEX_EXECUTION_MODE_SANDBOX: CodexExecutionMode
CODEX_AUTH_HYDRATION_STATE_UNSPECIFIED: CodexAuthHydrationState
CODEX_AUTH_HYDRATION_STATE_UNAUTHENTICATED: CodexAuthHydrationState
CODEX_AUTH_HYDRATION_STATE_ERROR: CodexAuthHydrationState

class CodexWorkerEvent(_message.Message):
    __slots__ = ("worker_id", "seq", "event_type", "event_version", "emitted_at", "projection", "worker_started", "worker_request_received", "worker_response", "worker_error", "worker_heartbeat", "worker_stopped", "unknown")
    WORKER_ID_FIELD_NUMBER: _ClassVar[int]
    SEQ_FIELD_NUMBER: _ClassVar[int]
    EVENT_TYPE_FIELD_NUMBER: _ClassVar[int]
    EVENT_VERSION_FIELD_NUMBER: _ClassVar[int]
    EMITTED_AT_FIELD_NUMBER: _ClassVar[int]
    PROJECTION_FIELD_NUMBER: _ClassVar[int]
    WORKER_STARTED_FIELD_NUMBER: _ClassVar[int]
    WORKER_REQUEST_RECEIVED_FIELD_NUMBER: _ClassVar[int]
    WORKER_RESPONSE_FIELD_NUMBER: _ClassVar[int]
    WORKER_ERROR_FIELD_NUMBER: _ClassVar[int]
    WORKER_HEARTBEAT_FIELD_NUMBER: _ClassVar[int]
    WORKER_STOPPED_FIELD_NUMBER: _ClassVar[int]
    UNKNOWN_FIELD_NUMBER: _ClassVar[int]
    worker_id: str
    seq: int
    event_type: str
    event_version: int
    emitted_at: _timestamp_pb2.Timestamp
    projection: CodexProjectionEnvelope
    worker_started: CodexWorkerStarted
    worker_request_received: CodexWorkerRequestReceived
    worker_response: CodexWorkerResponse
    worker_error: CodexWorkerError
    worker_heartbeat: CodexWorkerHeartbeat
    worker_stopped: CodexWorkerStopped
    unknown: CodexWorkerUnknown
    def __init__(self, worker_id: _Optional[str] = ..., seq: _Optional[int] = ..., event_type: _Optional[str] = ..., event_version: _Optional[int] = ..., emitted_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., projection: _Optional[_Union[CodexProjectionEnvelope, _Mapping]] = ..., worker_started: _Optional[_Union[CodexWorkerStarted, _Mapping]] = ..., worker_request_received: _Optional[_Union[CodexWorkerRequestReceived, _Mapping]] = ..., worker_response: _Optional[_Union[CodexWorkerResponse, _Mapping]] = ..., worker_error: _Optional[_Union[CodexWorkerError, _Mapping]] = ..., worker_heartbeat: _Optional[_Union[CodexWorkerHeartbeat, _Mapping]] = ..., worker_stopped: _Optional[_Union[CodexWorkerStopped, _Mapping]] = ..., unknown: _Optional[_Union[CodexWorkerUnknown, _Mapping]] = ...) -> None: ...

class CodexWorkerStarted(_message.Message):
    __slots__ = ("status", "sandbox", "metadata")
    STATUS_FIELD_NUMBER: _ClassVar[int]
    SANDBOX_FIELD_NUMBER: _ClassVar[int]
    METADATA_FIELD_NUMBER: _ClassVar[int]
    status: str
    sandbox: CodexSandboxBinding
    metadata: str
    def __init__(self, status: _Optional[str] = ..., sandbox: _Optional[_Union[CodexSandboxBinding, _Mapping]] = ..., metadata: _Optional[str] = ...) -> None: ...

class CodexWorkerRequestReceived(_message.Message):
    __slots__ = ("request_id", "method", "request_version")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    METHOD_FIELD_NUMBER: _ClassVar[int]
    REQUEST_VERSION_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    method: str
    request_version: int
    def __init__(self, request_id: _Optional[str] = ..., method: _Optional[str] = ..., request_version: _Optional[int] = ...) -> None: ...

class CodexWorkerResponse(_message.Message):
    __slots__ = ("request_id", "ok", "response")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    OK_FIELD_NUMBER: _ClassVar[int]
    RESPONSE_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    ok: bool
    response: str
    def __init__(self, request_id: _Optional[str] = ..., ok: _Optional[bool] = ..., response: _Optional[str] = ...) -> None: ...

class CodexWorkerError(_message.Message):
    __slots__ = ("request_id", "code", "message", "reason_code", "response")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    CODE_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    REASON_CODE_FIELD_NUMBER: _ClassVar[int]
    RESPONSE_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    code: int
    message: str
    reason_code: _reasons_pb2.ReasonCode
    response: str
    def __init__(self, request_id: _Optional[str] = ..., code: _Optional[int] = ..., message: _Optional[str] = ..., reason_code: _Optional[_Union[_reasons_pb2.ReasonCode, str]] = ..., response: _Optional[str] = ...) -> None: ...

class CodexWorkerHeartbeat(_message.Message):
    __slots__ = ("status", "observed_at")
    STATUS_FIELD_NUMBER: _ClassVar[int]
    OBSERVED_AT_FIELD_NUMBER: _ClassVar[int]
    status: str
    observed_at: _timestamp_pb2.Timestamp
    def __init__(self, status: _Optional[str] = ..., observed_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class CodexWorkerStopped(_message.Message):
    __slots__ = ("status", "reason")
    STATUS_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    status: str
    reason: str
    def __init__(self, status: _Optional[str] = ..., reason: _Optional[str] = ...) -> None: ...

class CodexWorkerUnknown(_message.Message):
    __slots__ = ("body",)
    BODY_FIELD_NUMBER: _ClassVar[int]
    body: str
    def __init__(self, body: _Optional[str] = ...) -> None: ...

class CodexProjectionEnvelope(_message.Message):
    __slots__ = ("runtime_source", "runtime_run_id", "runtime_worker_id", "runtime_seq", "runtime_seq_end", "projection_version", "projected_at")
    RUNTIME_SOURCE_FIELD_NUMBER: _ClassVar[int]
    RUNTIME_RUN_ID_FIELD_NUMBER: _ClassVar[int]
    RUNTIME_WORKER_ID_FIELD_NUMBER: _ClassVar[int]
    RUNTIME_SEQ_FIELD_NUMBER: _ClassVar[int]
    RUNTIME_SEQ_END_FIELD_NUMBER: _ClassVar[int]
    PROJECTION_VERSION_FIELD_NUMBER: _ClassVar[int]
    PROJECTED_AT_FIELD_NUMBER: _ClassVar[int]
    runtime_source: str
    runtime_run_id: str
    runtime_worker_id: str
    runtime_seq: int
    runtime_seq_end: int
    projection_version: str
    projected_at: _timestamp_pb2.Timestamp
    def __init__(self, runtime_source: _Optional[str] = ..., runtime_run_id: _Optional[str] = ..., runtime_worker_id: _Optional[str] = ..., runtime_seq: _Optional[int] = ..., runtime_seq_end: _Optional[int] = ..., projection_version: _Optional[str] = ..., projected_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class CodexWorker(_message.Message):
    __slots__ = ("worker_id", "status", "latest_seq", "adapter", "owner_user_ref", "owner_guest_scope", "sandbox", "metadata", "started_at", "stopped_at", "updated_at", "last_heartbeat_at")
    WORKER_ID_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    LATEST_SEQ_FIELD_NUMBER: _ClassVar[int]
    ADAPTER_FIELD_NUMBER: _ClassVar[int]
    OWNER_USER_REF_FIELD_NUMBER: _ClassVar[int]
    OWNER_GUEST_SCOPE_FIELD_NUMBER: _ClassVar[int]
    SANDBOX_FIELD_NUMBER: _ClassVar[int]
    METADATA_FIELD_NUMBER: _ClassVar[int]
    STARTED_AT_FIELD_NUMBER: _ClassVar[int]
    STOPPED_AT_FIELD_NUMBER: _ClassVar[int]
    UPDATED_AT_FIELD_NUMBER: _ClassVar[int]
    LAST_HEARTBEAT_AT_FIELD_NUMBER: _ClassVar[int]
    worker_id: str
    status: str
    latest_seq: int
    adapter: str
    owner_user_ref: str
    owner_guest_scope: str
    sandbox: CodexSandboxBinding
    metadata: str
    started_at: _timestamp_pb2.Timestamp
    stopped_at: _timestamp_pb2.Timestamp
    updated_at: _timestamp_pb2.Timestamp
    last_heartbeat_at: _timestamp_pb2.Timestamp
    def __init__(self, worker_id: _Optional[str] = ..., status: _Optional[str] = ..., latest_seq: _Optional[int] = ..., adapter: _Optional[str] = ..., owner_user_ref: _Optional[str] = ..., owner_guest_scope: _Optional[str] = ..., sandbox: _Optional[_Union[CodexSandboxBinding, _Mapping]] = ..., metadata: _Optional[str] = ..., started_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., stopped_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., updated_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., last_heartbeat_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class CreateCodexWorkerRequest(_message.Message):
    __slots__ = ("worker_id", "workspace_ref", "codex_home_ref", "adapter", "metadata")
    WORKER_ID_FIELD_NUMBER: _ClassVar[int]
    WORKSPACE_REF_FIELD_NUMBER: _ClassVar[int]
    CODEX_HOME_REF_FIELD_NUMBER: _ClassVar[int]
    ADAPTER_FIELD_NUMBER: _ClassVar[int]
    METADATA_FIELD_NUMBER: _ClassVar[int]
    worker_id: str
    workspace_ref: str
    codex_home_ref: str
    adapter: str
    metadata: str
    def __init__(self, worker_id: _Optional[str] = ..., workspace_ref: _Optional[str] = ..., codex_home_ref: _Optional[str] = ..., adapter: _Optional[str] = ..., metadata: _Optional[str] = ...) -> None: ...

class CreateCodexWorkerResponse(_message.Message):
    __slots__ = ("worker_id", "status", "latest_seq", "idempotent_replay")
    WORKER_ID_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    LATEST_SEQ_FIELD_NUMBER: _ClassVar[int]
    IDEMPOTENT_REPLAY_FIELD_NUMBER: _ClassVar[int]
    worker_id: str
    status: str
    latest_seq: int
    idempotent_replay: bool
    def __init__(self, worker_id: _Optional[str] = ..., status: _Optional[str] = ..., latest_seq: _Optional[int] = ..., idempotent_replay: _Optional[bool] = ...) -> None: ...

class GetCodexWorkerSnapshotRequest(_message.Message):
    __slots__ = ("worker_id",)
    WORKER_ID_FIELD_NUMBER: _ClassVar[int]
    worker_id: str
    def __init__(self, worker_id: _Optional[str] = ...) -> None: ...

class GetCodexWorkerSnapshotResponse(_message.Message):
    __slots__ = ("worker_id", "status", "latest_seq", "workspace_ref", "codex_home_ref", "adapter", "metadata", "started_at", "stopped_at", "updated_at", "last_heartbeat_at", "heartbeat_age_ms", "heartbeat_stale_after_ms", "heartbeat_state")
    WORKER_ID_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    LATEST_SEQ_FIELD_NUMBER: _ClassVar[int]
    WORKSPACE_REF_FIELD_NUMBER: _ClassVar[int]
    CODEX_HOME_REF_FIELD_NUMBER: _ClassVar[int]
    ADAPTER_FIELD_NUMBER: _ClassVar[int]
    METADATA_FIELD_NUMBER: _ClassVar[int]
    STARTED_AT_FIELD_NUMBER: _ClassVar[int]
    STOPPED_AT_FIELD_NUMBER: _ClassVar[int]
    UPDATED_AT_FIELD_NUMBER: _ClassVar[int]
    LAST_HEARTBEAT_AT_FIELD_NUMBER: _ClassVar[int]
    HEARTBEAT_AGE_MS_FIELD_NUMBER: _ClassVar[int]
    HEARTBEAT_STALE_AFTER_MS_FIELD_NUMBER: _ClassVar[int]
    HEARTBEAT_STATE_FIELD_NUMBER: _ClassVar[int]
    worker_id: str
    status: str
    latest_seq: int
    workspace_ref: str
    codex_home_ref: str
    adapter: str
    metadata: str
    started_at: _timestamp_pb2.Timestamp
    stopped_at: _timestamp_pb2.Timestamp
    updated_at: _timestamp_pb2.Timestamp
    last_heartbeat_at: _timestamp_pb2.Timestamp
    heartbeat_age_ms: int
    heartbeat_stale_after_ms: int
    heartbeat_state: str
    def __init__(self, worker_id: _Optional[str] = ..., status: _Optional[str] = ..., latest_seq: _Optional[int] = ..., workspace_ref: _Optional[str] = ..., codex_home_ref: _Optional[str] = ..., adapter: _Optional[str] = ..., metadata: _Optional[str] = ..., started_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., stopped_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., updated_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., last_heartbeat_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., heartbeat_age_ms: _Optional[int] = ..., heartbeat_stale_after_ms: _Optional[int] = ..., heartbeat_state: _Optional[str] = ...) -> None: ...

class SendCodexWorkerRequestRequest(_message.Message):
    __slots__ = ("request_id", "method", "params")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    METHOD_FIELD_NUMBER: _ClassVar[int]
    PARAMS_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    method: str
    params: str
    def __init__(self, request_id: _Optional[str] = ..., method: _Optional[str] = ..., params: _Optional[str] = ...) -> None: ...

class SendCodexWorkerRequestResponse(_message.Message):
    __slots__ = ("worker_id", "request_id", "ok", "response")
    WORKER_ID_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    OK_FIELD_NUMBER: _ClassVar[int]
    RESPONSE_FIELD_NUMBER: _ClassVar[int]
    worker_id: str
    request_id: str
    ok: bool
    response: str
    def __init__(self, worker_id: _Optional[str] = ..., request_id: _Optional[str] = ..., ok: _Optional[bool] = ..., response: _Optional[str] = ...) -> None: ...

class StopCodexWorkerRequest(_message.Message):
    __slots__ = ("reason",)
    REASON_FIELD_NUMBER: _ClassVar[int]
    reason: str
    def __init__(self, reason: _Optional[str] = ...) -> None: ...

class StopCodexWorkerResponse(_message.Message):
    __slots__ = ("worker_id", "status", "idempotent_replay")
    WORKER_ID_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    IDEMPOTENT_REPLAY_FIELD_NUMBER: _ClassVar[int]
    worker_id: str
    status: str
    idempotent_replay: bool
    def __init__(self, worker_id: _Optional[str] = ..., status: _Optional[str] = ..., idempotent_replay: _Optional[bool] = ...) -> None: ...

class CodexSandboxBinding(_message.Message):
    __slots__ = ("execution_mode", "auth_hydration_state")
    EXECUTION_MODE_FIELD_NUMBER: _ClassVar[int]
    AUTH_HYDRATION_STATE_FIELD_NUMBER: _ClassVar[int]
    execution_mode: CodexExecutionMode
    auth_hydration_state: CodexAuthHydrationState
    def __init__(self, execution_mode: _Optional[_Union[CodexExecutionMode, str]] = ..., auth_hydration_state: _Optional[_Union[CodexAuthHydrationState, str]] = ...) -> None: ...
