import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class SyncTopic(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    SYNC_TOPIC_UNSPECIFIED: _ClassVar[SyncTopic]
    SYNC_TOPIC_RUNTIME_RUN_SUMMARIES: _ClassVar[SyncTopic]
    SYNC_TOPIC_RUNTIME_CODEX_WORKER_SUMMARIES: _ClassVar[SyncTopic]
    SYNC_TOPIC_RUNTIME_NOTIFICATIONS: _ClassVar[SyncTopic]
    SYNC_TOPIC_RUNTIME_CODEX_WORKER_EVENTS: _ClassVar[SyncTopic]

class SyncErrorCode(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    SYNC_ERROR_CODE_UNSPECIFIED: _ClassVar[SyncErrorCode]
    SYNC_ERROR_CODE_BAD_SUBSCRIPTION: _ClassVar[SyncErrorCode]
    SYNC_ERROR_CODE_FORBIDDEN_TOPIC: _ClassVar[SyncErrorCode]
    SYNC_ERROR_CODE_STALE_CURSOR: _ClassVar[SyncErrorCode]
    SYNC_ERROR_CODE_UNAUTHORIZED: _ClassVar[SyncErrorCode]
    SYNC_ERROR_CODE_PAYLOAD_TOO_LARGE: _ClassVar[SyncErrorCode]
    SYNC_ERROR_CODE_RATE_LIMITED: _ClassVar[SyncErrorCode]
    SYNC_ERROR_CODE_INTERNAL: _ClassVar[SyncErrorCode]
SYNC_TOPIC_UNSPECIFIED: SyncTopic
SYNC_TOPIC_RUNTIME_RUN_SUMMARIES: SyncTopic
SYNC_TOPIC_RUNTIME_CODEX_WORKER_SUMMARIES: SyncTopic
SYNC_TOPIC_RUNTIME_NOTIFICATIONS: SyncTopic
SYNC_TOPIC_RUNTIME_CODEX_WORKER_EVENTS: SyncTopic
SYNC_ERROR_CODE_UNSPECIFIED: SyncErrorCode
SYNC_ERROR_CODE_BAD_SUBSCRIPTION: SyncErrorCode
SYNC_ERROR_CODE_FORBIDDEN_TOPIC: SyncErrorCode
SYNC_ERROR_CODE_STALE_CURSOR: SyncErrorCode
SYNC_ERROR_CODE_UNAUTHORIZED: SyncErrorCode
SYNC_ERROR_CODE_PAYLOAD_TOO_LARGE: SyncErrorCode
SYNC_ERROR_CODE_RATE_LIMITED: SyncErrorCode
SYNC_ERROR_CODE_INTERNAL: SyncErrorCode

class SyncWatermark(_message.Message):
    __slots__ = ("topic", "watermark")
    TOPIC_FIELD_NUMBER: _ClassVar[int]
    WATERMARK_FIELD_NUMBER: _ClassVar[int]
    topic: str
    watermark: int
    def __init__(self, topic: _Optional[str] = ..., watermark: _Optional[int] = ...) -> None: ...

class SyncJoined(_message.Message):
    __slots__ = ("subscription_id", "allowed_topics", "current_watermarks")
    SUBSCRIPTION_ID_FIELD_NUMBER: _ClassVar[int]
    ALLOWED_TOPICS_FIELD_NUMBER: _ClassVar[int]
    CURRENT_WATERMARKS_FIELD_NUMBER: _ClassVar[int]
    subscription_id: str
    allowed_topics: _containers.RepeatedScalarFieldContainer[str]
    current_watermarks: _containers.RepeatedCompositeFieldContainer[SyncWatermark]
    def __init__(self, subscription_id: _Optional[str] = ..., allowed_topics: _Optional[_Iterable[str]] = ..., current_watermarks: _Optional[_Iterable[_Union[SyncWatermark, _Mapping]]] = ...) -> None: ...

class SyncSubscribe(_message.Message):
    __slots__ = ("topics", "resume_after", "replay_batch_size", "request_id")
    TOPICS_FIELD_NUMBER: _ClassVar[int]
    RESUME_AFTER_FIELD_NUMBER: _ClassVar[int]
    REPLAY_BATCH_SIZE_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    topics: _containers.RepeatedScalarFieldContainer[str]
    resume_after: _containers.RepeatedCompositeFieldContainer[SyncWatermark]
    replay_batch_size: int
    request_id: str
    def __init__(self, topics: _Optional[_Iterable[str]] = ..., resume_after: _Optional[_Iterable[_Union[SyncWatermark, _Mapping]]] = ..., replay_batch_size: _Optional[int] = ..., request_id: _Optional[str] = ...) -> None: ...

class SyncSubscribed(_message.Message):
    __slots__ = ("subscription_id", "topics", "current_watermarks")
    SUBSCRIPTION_ID_FIELD_NUMBER: _ClassVar[int]
    TOPICS_FIELD_NUMBER: _ClassVar[int]
    CURRENT_WATERMARKS_FIELD_NUMBER: _ClassVar[int]
    subscription_id: str
    topics: _containers.RepeatedScalarFieldContainer[str]
    current_watermarks: _containers.RepeatedCompositeFieldContainer[SyncWatermark]
    def __init__(self, subscription_id: _Optional[str] = ..., topics: _Optional[_Iterable[str]] = ..., current_watermarks: _Optional[_Iterable[_Union[SyncWatermark, _Mapping]]] = ...) -> None: ...

class SyncUnsubscribe(_message.Message):
    __slots__ = ("topics",)
    TOPICS_FIELD_NUMBER: _ClassVar[int]
    topics: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, topics: _Optional[_Iterable[str]] = ...) -> None: ...

class SyncUnsubscribed(_message.Message):
    __slots__ = ("subscription_id", "topics")
    SUBSCRIPTION_ID_FIELD_NUMBER: _ClassVar[int]
    TOPICS_FIELD_NUMBER: _ClassVar[int]
    subscription_id: str
    topics: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, subscription_id: _Optional[str] = ..., topics: _Optional[_Iterable[str]] = ...) -> None: ...

class SyncUpdate(_message.Message):
    __slots__ = ("topic", "doc_key", "doc_version", "watermark", "payload", "payload_hash", "hydration_required")
    TOPIC_FIELD_NUMBER: _ClassVar[int]
    DOC_KEY_FIELD_NUMBER: _ClassVar[int]
    DOC_VERSION_FIELD_NUMBER: _ClassVar[int]
    WATERMARK_FIELD_NUMBER: _ClassVar[int]
    PAYLOAD_FIELD_NUMBER: _ClassVar[int]
    PAYLOAD_HASH_FIELD_NUMBER: _ClassVar[int]
    HYDRATION_REQUIRED_FIELD_NUMBER: _ClassVar[int]
    topic: str
    doc_key: str
    doc_version: int
    watermark: int
    payload: str
    payload_hash: str
    hydration_required: bool
    def __init__(self, topic: _Optional[str] = ..., doc_key: _Optional[str] = ..., doc_version: _Optional[int] = ..., watermark: _Optional[int] = ..., payload: _Optional[str] = ..., payload_hash: _Optional[str] = ..., hydration_required: _Optional[bool] = ...) -> None: ...

class SyncUpdateBatch(_message.Message):
    __slots__ = ("updates", "replay_complete", "head_watermarks")
    UPDATES_FIELD_NUMBER: _ClassVar[int]
    REPLAY_COMPLETE_FIELD_NUMBER: _ClassVar[int]
    HEAD_WATERMARKS_FIELD_NUMBER: _ClassVar[int]
    updates: _containers.RepeatedCompositeFieldContainer[SyncUpdate]
    replay_complete: bool
    head_watermarks: _containers.RepeatedCompositeFieldContainer[SyncWatermark]
    def __init__(self, updates: _Optional[_Iterable[_Union[SyncUpdate, _Mapping]]] = ..., replay_complete: _Optional[bool] = ..., head_watermarks: _Optional[_Iterable[_Union[SyncWatermark, _Mapping]]] = ...) -> None: ...

class SyncHeartbeat(_message.Message):
    __slots__ = ("watermarks",)
    WATERMARKS_FIELD_NUMBER: _ClassVar[int]
    watermarks: _containers.RepeatedCompositeFieldContainer[SyncWatermark]
    def __init__(self, watermarks: _Optional[_Iterable[_Union[SyncWatermark, _Mapping]]] = ...) -> None: ...

class SyncHeartbeatAnswered(_message.Message):
    __slots__ = ("subscription_id", "watermarks")
    SUBSCRIPTION_ID_FIELD_NUMBER: _ClassVar[int]
    WATERMARKS_FIELD_NUMBER: _ClassVar[int]
    subscription_id: str
    watermarks: _containers.RepeatedCompositeFieldContainer[SyncWatermark]
    def __init__(self, subscription_id: _Optional[str] = ..., watermarks: _Optional[_Iterable[_Union[SyncWatermark, _Mapping]]] = ...) -> None: ...

class SyncError(_message.Message):
    __slots__ = ("code", "message", "full_resync_required", "stale_topics", "forbidden_topics")
    CODE_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    FULL_RESYNC_REQUIRED_FIELD_NUMBER: _ClassVar[int]
    STALE_TOPICS_FIELD_NUMBER: _ClassVar[int]
    FORBIDDEN_TOPICS_FIELD_NUMBER: _ClassVar[int]
    code: str
    message: str
    full_resync_required: bool
    stale_topics: _containers.RepeatedCompositeFieldContainer[SyncStaleTopic]
    forbidden_topics: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, code: _Optional[str] = ..., message: _Optional[str] = ..., full_resync_required: _Optional[bool] = ..., stale_topics: _Optional[_Iterable[_Union[SyncStaleTopic, _Mapping]]] = ..., forbidden_topics: _Optional[_Iterable[str]] = ...) -> None: ...

class SyncStaleTopic(_message.Message):
    __slots__ = ("topic", "resume_after", "retention_floor")
    TOPIC_FIELD_NUMBER: _ClassVar[int]
    RESUME_AFTER_FIELD_NUMBER: _ClassVar[int]
    RETENTION_FLOOR_FIELD_NUMBER: _ClassVar[int]
    topic: str
    resume_after: int
    retention_floor: int
    def __init__(self, topic: _Optional[str] = ..., resume_after: _Optional[int] = ..., retention_floor: _Optional[int] = ...) -> None: ...

class SyncRuntimeSource(_message.Message):
    __slots__ = ("entity", "run_id", "worker_id", "seq")
    ENTITY_FIELD_NUMBER: _ClassVar[int]
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    WORKER_ID_FIELD_NUMBER: _ClassVar[int]
    SEQ_FIELD_NUMBER: _ClassVar[int]
    entity: str
    run_id: str
    worker_id: str
    seq: int
    def __init__(self, entity: _Optional[str] = ..., run_id: _Optional[str] = ..., worker_id: _Optional[str] = ..., seq: _Optional[int] = ...) -> None: ...

class CodexWorkerSummary(_message.Message):
    __slots__ = ("document_id", "kind", "worker_id", "status", "owner_user_id", "owner_guest_scope", "workspace_ref", "codex_home_ref", "adapter", "metadata", "latest_seq", "event_count", "latest_event_type", "latest_event_at", "started_at", "stopped_at", "last_heartbeat_at", "updated_at", "runtime_source", "projection_version", "projected_at", "daemon_seen_at", "busy", "accepts_requests", "usage", "limits", "open_approvals", "daemon_off", "last_words")
    DOCUMENT_ID_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    WORKER_ID_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    OWNER_USER_ID_FIELD_NUMBER: _ClassVar[int]
    OWNER_GUEST_SCOPE_FIELD_NUMBER: _ClassVar[int]
    WORKSPACE_REF_FIELD_NUMBER: _ClassVar[int]
    CODEX_HOME_REF_FIELD_NUMBER: _ClassVar[int]
    ADAPTER_FIELD_NUMBER: _ClassVar[int]
    METADATA_FIELD_NUMBER: _ClassVar[int]
    LATEST_SEQ_FIELD_NUMBER: _ClassVar[int]
    EVENT_COUNT_FIELD_NUMBER: _ClassVar[int]
    LATEST_EVENT_TYPE_FIELD_NUMBER: _ClassVar[int]
    LATEST_EVENT_AT_FIELD_NUMBER: _ClassVar[int]
    STARTED_AT_FIELD_NUMBER: _ClassVar[int]
    STOPPED_AT_FIELD_NUMBER: _ClassVar[int]
    LAST_HEARTBEAT_AT_FIELD_NUMBER: _ClassVar[int]
    UPDATED_AT_FIELD_NUMBER: _ClassVar[int]
    RUNTIME_SOURCE_FIELD_NUMBER: _ClassVar[int]
    PROJECTION_VERSION_FIELD_NUMBER: _ClassVar[int]
    PROJECTED_AT_FIELD_NUMBER: _ClassVar[int]
    DAEMON_SEEN_AT_FIELD_NUMBER: _ClassVar[int]
    BUSY_FIELD_NUMBER: _ClassVar[int]
    ACCEPTS_REQUESTS_FIELD_NUMBER: _ClassVar[int]
    USAGE_FIELD_NUMBER: _ClassVar[int]
    LIMITS_FIELD_NUMBER: _ClassVar[int]
    OPEN_APPROVALS_FIELD_NUMBER: _ClassVar[int]
    DAEMON_OFF_FIELD_NUMBER: _ClassVar[int]
    LAST_WORDS_FIELD_NUMBER: _ClassVar[int]
    document_id: str
    kind: str
    worker_id: str
    status: str
    owner_user_id: int
    owner_guest_scope: str
    workspace_ref: str
    codex_home_ref: str
    adapter: str
    metadata: str
    latest_seq: int
    event_count: int
    latest_event_type: str
    latest_event_at: _timestamp_pb2.Timestamp
    started_at: _timestamp_pb2.Timestamp
    stopped_at: _timestamp_pb2.Timestamp
    last_heartbeat_at: _timestamp_pb2.Timestamp
    updated_at: _timestamp_pb2.Timestamp
    runtime_source: SyncRuntimeSource
    projection_version: str
    projected_at: _timestamp_pb2.Timestamp
    daemon_seen_at: _timestamp_pb2.Timestamp
    busy: CodexWorkerBusy
    accepts_requests: bool
    usage: CodexWorkerUsage
    limits: CodexWorkerLimits
    open_approvals: _containers.RepeatedScalarFieldContainer[str]
    daemon_off: bool
    last_words: CodexWorkerWords
    def __init__(self, document_id: _Optional[str] = ..., kind: _Optional[str] = ..., worker_id: _Optional[str] = ..., status: _Optional[str] = ..., owner_user_id: _Optional[int] = ..., owner_guest_scope: _Optional[str] = ..., workspace_ref: _Optional[str] = ..., codex_home_ref: _Optional[str] = ..., adapter: _Optional[str] = ..., metadata: _Optional[str] = ..., latest_seq: _Optional[int] = ..., event_count: _Optional[int] = ..., latest_event_type: _Optional[str] = ..., latest_event_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., started_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., stopped_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., last_heartbeat_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., updated_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., runtime_source: _Optional[_Union[SyncRuntimeSource, _Mapping]] = ..., projection_version: _Optional[str] = ..., projected_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., daemon_seen_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., busy: _Optional[_Union[CodexWorkerBusy, _Mapping]] = ..., accepts_requests: _Optional[bool] = ..., usage: _Optional[_Union[CodexWorkerUsage, _Mapping]] = ..., limits: _Optional[_Union[CodexWorkerLimits, _Mapping]] = ..., open_approvals: _Optional[_Iterable[str]] = ..., daemon_off: _Optional[bool] = ..., last_words: _Optional[_Union[CodexWorkerWords, _Mapping]] = ...) -> None: ...

class CodexWorkerWords(_message.Message):
    __slots__ = ("by", "text", "at")
    BY_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    AT_FIELD_NUMBER: _ClassVar[int]
    by: str
    text: str
    at: _timestamp_pb2.Timestamp
    def __init__(self, by: _Optional[str] = ..., text: _Optional[str] = ..., at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class CodexWorkerBusy(_message.Message):
    __slots__ = ("what", "since", "thread_id", "turn_id")
    WHAT_FIELD_NUMBER: _ClassVar[int]
    SINCE_FIELD_NUMBER: _ClassVar[int]
    THREAD_ID_FIELD_NUMBER: _ClassVar[int]
    TURN_ID_FIELD_NUMBER: _ClassVar[int]
    what: str
    since: str
    thread_id: str
    turn_id: str
    def __init__(self, what: _Optional[str] = ..., since: _Optional[str] = ..., thread_id: _Optional[str] = ..., turn_id: _Optional[str] = ...) -> None: ...

class CodexWorkerUsage(_message.Message):
    __slots__ = ("day", "day_tokens", "total_tokens", "turns")
    DAY_FIELD_NUMBER: _ClassVar[int]
    DAY_TOKENS_FIELD_NUMBER: _ClassVar[int]
    TOTAL_TOKENS_FIELD_NUMBER: _ClassVar[int]
    TURNS_FIELD_NUMBER: _ClassVar[int]
    day: str
    day_tokens: int
    total_tokens: int
    turns: int
    def __init__(self, day: _Optional[str] = ..., day_tokens: _Optional[int] = ..., total_tokens: _Optional[int] = ..., turns: _Optional[int] = ...) -> None: ...

class CodexWorkerLimits(_message.Message):
    __slots__ = ("turn_tokens", "day_tokens")
    TURN_TOKENS_FIELD_NUMBER: _ClassVar[int]
    DAY_TOKENS_FIELD_NUMBER: _ClassVar[int]
    turn_tokens: int
    day_tokens: int
    def __init__(self, turn_tokens: _Optional[int] = ..., day_tokens: _Optional[int] = ...) -> None: ...

class RunSummary(_message.Message):
    __slots__ = ("document_id", "kind", "run_id", "thread_id", "status", "owner_user_id", "owner_guest_scope", "latest_seq", "event_count", "latest_event_type", "latest_event_at", "terminal_reason_class", "terminal_reason", "terminal_at", "updated_at", "runtime_source", "projection_version", "projected_at")
    DOCUMENT_ID_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    THREAD_ID_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    OWNER_USER_ID_FIELD_NUMBER: _ClassVar[int]
    OWNER_GUEST_SCOPE_FIELD_NUMBER: _ClassVar[int]
    LATEST_SEQ_FIELD_NUMBER: _ClassVar[int]
    EVENT_COUNT_FIELD_NUMBER: _ClassVar[int]
    LATEST_EVENT_TYPE_FIELD_NUMBER: _ClassVar[int]
    LATEST_EVENT_AT_FIELD_NUMBER: _ClassVar[int]
    TERMINAL_REASON_CLASS_FIELD_NUMBER: _ClassVar[int]
    TERMINAL_REASON_FIELD_NUMBER: _ClassVar[int]
    TERMINAL_AT_FIELD_NUMBER: _ClassVar[int]
    UPDATED_AT_FIELD_NUMBER: _ClassVar[int]
    RUNTIME_SOURCE_FIELD_NUMBER: _ClassVar[int]
    PROJECTION_VERSION_FIELD_NUMBER: _ClassVar[int]
    PROJECTED_AT_FIELD_NUMBER: _ClassVar[int]
    document_id: str
    kind: str
    run_id: str
    thread_id: str
    status: str
    owner_user_id: int
    owner_guest_scope: str
    latest_seq: int
    event_count: int
    latest_event_type: str
    latest_event_at: _timestamp_pb2.Timestamp
    terminal_reason_class: str
    terminal_reason: str
    terminal_at: _timestamp_pb2.Timestamp
    updated_at: _timestamp_pb2.Timestamp
    runtime_source: SyncRuntimeSource
    projection_version: str
    projected_at: _timestamp_pb2.Timestamp
    def __init__(self, document_id: _Optional[str] = ..., kind: _Optional[str] = ..., run_id: _Optional[str] = ..., thread_id: _Optional[str] = ..., status: _Optional[str] = ..., owner_user_id: _Optional[int] = ..., owner_guest_scope: _Optional[str] = ..., latest_seq: _Optional[int] = ..., event_count: _Optional[int] = ..., latest_event_type: _Optional[str] = ..., latest_event_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., terminal_reason_class: _Optional[str] = ..., terminal_reason: _Optional[str] = ..., terminal_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., updated_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., runtime_source: _Optional[_Union[SyncRuntimeSource, _Mapping]] = ..., projection_version: _Optional[str] = ..., projected_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...
