import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from openagents.log.v1 import options_pb2 as _options_pb2
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class BudgetEvent(_message.Message):
    __slots__ = ("position", "kind", "stream", "seq", "type", "version", "owner", "recorded_at", "digest", "open_payload", "budget_authorized", "budget_revoked", "budget_held", "budget_spent", "budget_freed", "hold_reserved", "hold_charged", "hold_committed", "hold_released", "hold_reconcile_required")
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
    BUDGET_AUTHORIZED_FIELD_NUMBER: _ClassVar[int]
    BUDGET_REVOKED_FIELD_NUMBER: _ClassVar[int]
    BUDGET_HELD_FIELD_NUMBER: _ClassVar[int]
    BUDGET_SPENT_FIELD_NUMBER: _ClassVar[int]
    BUDGET_FREED_FIELD_NUMBER: _ClassVar[int]
    HOLD_RESERVED_FIELD_NUMBER: _ClassVar[int]
    HOLD_CHARGED_FIELD_NUMBER: _ClassVar[int]
    HOLD_COMMITTED_FIELD_NUMBER: _ClassVar[int]
    HOLD_RELEASED_FIELD_NUMBER: _ClassVar[int]
    HOLD_RECONCILE_REQUIRED_FIELD_NUMBER: _ClassVar[int]
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
    budget_authorized: BudgetAuthorized
    budget_revoked: BudgetRevoked
    budget_held: BudgetHeld
    budget_spent: BudgetSpent
    budget_freed: BudgetFreed
    hold_reserved: HoldReserved
    hold_charged: HoldCharged
    hold_committed: HoldCommitted
    hold_released: HoldReleased
    hold_reconcile_required: HoldReconcileRequired
    def __init__(self, position: _Optional[int] = ..., kind: _Optional[str] = ..., stream: _Optional[str] = ..., seq: _Optional[int] = ..., type: _Optional[str] = ..., version: _Optional[int] = ..., owner: _Optional[str] = ..., recorded_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., digest: _Optional[bytes] = ..., open_payload: _Optional[_Union[OpenPayload, _Mapping]] = ..., budget_authorized: _Optional[_Union[BudgetAuthorized, _Mapping]] = ..., budget_revoked: _Optional[_Union[BudgetRevoked, _Mapping]] = ..., budget_held: _Optional[_Union[BudgetHeld, _Mapping]] = ..., budget_spent: _Optional[_Union[BudgetSpent, _Mapping]] = ..., budget_freed: _Optional[_Union[BudgetFreed, _Mapping]] = ..., hold_reserved: _Optional[_Union[HoldReserved, _Mapping]] = ..., hold_charged: _Optional[_Union[HoldCharged, _Mapping]] = ..., hold_committed: _Optional[_Union[HoldCommitted, _Mapping]] = ..., hold_released: _Optional[_Union[HoldReleased, _Mapping]] = ..., hold_reconcile_required: _Optional[_Union[HoldReconcileRequired, _Mapping]] = ...) -> None: ...

class OpenPayload(_message.Message):
    __slots__ = ("json",)
    JSON_FIELD_NUMBER: _ClassVar[int]
    json: str
    def __init__(self, json: _Optional[str] = ...) -> None: ...

class BudgetAuthorized(_message.Message):
    __slots__ = ("authorization_id", "run_id", "thread_id", "autopilot_id", "parent_authorization_id", "path", "mode", "max_total_sats", "max_per_call_sats", "max_per_day_sats", "threshold_sats", "constraints", "metadata", "issued_at", "expires_at")
    AUTHORIZATION_ID_FIELD_NUMBER: _ClassVar[int]
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    THREAD_ID_FIELD_NUMBER: _ClassVar[int]
    AUTOPILOT_ID_FIELD_NUMBER: _ClassVar[int]
    PARENT_AUTHORIZATION_ID_FIELD_NUMBER: _ClassVar[int]
    PATH_FIELD_NUMBER: _ClassVar[int]
    MODE_FIELD_NUMBER: _ClassVar[int]
    MAX_TOTAL_SATS_FIELD_NUMBER: _ClassVar[int]
    MAX_PER_CALL_SATS_FIELD_NUMBER: _ClassVar[int]
    MAX_PER_DAY_SATS_FIELD_NUMBER: _ClassVar[int]
    THRESHOLD_SATS_FIELD_NUMBER: _ClassVar[int]
    CONSTRAINTS_FIELD_NUMBER: _ClassVar[int]
    METADATA_FIELD_NUMBER: _ClassVar[int]
    ISSUED_AT_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_AT_FIELD_NUMBER: _ClassVar[int]
    authorization_id: str
    run_id: str
    thread_id: str
    autopilot_id: str
    parent_authorization_id: str
    path: str
    mode: str
    max_total_sats: int
    max_per_call_sats: int
    max_per_day_sats: int
    threshold_sats: int
    constraints: str
    metadata: str
    issued_at: str
    expires_at: str
    def __init__(self, authorization_id: _Optional[str] = ..., run_id: _Optional[str] = ..., thread_id: _Optional[str] = ..., autopilot_id: _Optional[str] = ..., parent_authorization_id: _Optional[str] = ..., path: _Optional[str] = ..., mode: _Optional[str] = ..., max_total_sats: _Optional[int] = ..., max_per_call_sats: _Optional[int] = ..., max_per_day_sats: _Optional[int] = ..., threshold_sats: _Optional[int] = ..., constraints: _Optional[str] = ..., metadata: _Optional[str] = ..., issued_at: _Optional[str] = ..., expires_at: _Optional[str] = ...) -> None: ...

class BudgetRevoked(_message.Message):
    __slots__ = ("revoked_at", "reason")
    REVOKED_AT_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    revoked_at: str
    reason: str
    def __init__(self, revoked_at: _Optional[str] = ..., reason: _Optional[str] = ...) -> None: ...

class BudgetHeld(_message.Message):
    __slots__ = ("hold_id", "amount_msats", "day")
    HOLD_ID_FIELD_NUMBER: _ClassVar[int]
    AMOUNT_MSATS_FIELD_NUMBER: _ClassVar[int]
    DAY_FIELD_NUMBER: _ClassVar[int]
    hold_id: str
    amount_msats: int
    day: str
    def __init__(self, hold_id: _Optional[str] = ..., amount_msats: _Optional[int] = ..., day: _Optional[str] = ...) -> None: ...

class BudgetSpent(_message.Message):
    __slots__ = ("hold_id", "held_msats", "spent_msats", "day")
    HOLD_ID_FIELD_NUMBER: _ClassVar[int]
    HELD_MSATS_FIELD_NUMBER: _ClassVar[int]
    SPENT_MSATS_FIELD_NUMBER: _ClassVar[int]
    DAY_FIELD_NUMBER: _ClassVar[int]
    hold_id: str
    held_msats: int
    spent_msats: int
    day: str
    def __init__(self, hold_id: _Optional[str] = ..., held_msats: _Optional[int] = ..., spent_msats: _Optional[int] = ..., day: _Optional[str] = ...) -> None: ...

class BudgetFreed(_message.Message):
    __slots__ = ("hold_id", "amount_msats", "day")
    HOLD_ID_FIELD_NUMBER: _ClassVar[int]
    AMOUNT_MSATS_FIELD_NUMBER: _ClassVar[int]
    DAY_FIELD_NUMBER: _ClassVar[int]
    hold_id: str
    amount_msats: int
    day: str
    def __init__(self, hold_id: _Optional[str] = ..., amount_msats: _Optional[int] = ..., day: _Optional[str] = ...) -> None: ...

class HoldReserved(_message.Message):
    __slots__ = ("hold_id", "authorization_id", "path", "run_id", "tool_call_id", "amount_msats", "retry_class", "day", "provider_idempotency_key", "metadata", "approved")
    HOLD_ID_FIELD_NUMBER: _ClassVar[int]
    AUTHORIZATION_ID_FIELD_NUMBER: _ClassVar[int]
    PATH_FIELD_NUMBER: _ClassVar[int]
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    TOOL_CALL_ID_FIELD_NUMBER: _ClassVar[int]
    AMOUNT_MSATS_FIELD_NUMBER: _ClassVar[int]
    RETRY_CLASS_FIELD_NUMBER: _ClassVar[int]
    DAY_FIELD_NUMBER: _ClassVar[int]
    PROVIDER_IDEMPOTENCY_KEY_FIELD_NUMBER: _ClassVar[int]
    METADATA_FIELD_NUMBER: _ClassVar[int]
    APPROVED_FIELD_NUMBER: _ClassVar[int]
    hold_id: str
    authorization_id: str
    path: str
    run_id: str
    tool_call_id: str
    amount_msats: int
    retry_class: str
    day: str
    provider_idempotency_key: str
    metadata: str
    approved: bool
    def __init__(self, hold_id: _Optional[str] = ..., authorization_id: _Optional[str] = ..., path: _Optional[str] = ..., run_id: _Optional[str] = ..., tool_call_id: _Optional[str] = ..., amount_msats: _Optional[int] = ..., retry_class: _Optional[str] = ..., day: _Optional[str] = ..., provider_idempotency_key: _Optional[str] = ..., metadata: _Optional[str] = ..., approved: _Optional[bool] = ...) -> None: ...

class HoldCharged(_message.Message):
    __slots__ = ("charged_msats", "source")
    CHARGED_MSATS_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    charged_msats: int
    source: str
    def __init__(self, charged_msats: _Optional[int] = ..., source: _Optional[str] = ...) -> None: ...

class HoldCommitted(_message.Message):
    __slots__ = ("spent_msats", "reconciled", "provider_correlation_id", "provider_idempotency_key")
    SPENT_MSATS_FIELD_NUMBER: _ClassVar[int]
    RECONCILED_FIELD_NUMBER: _ClassVar[int]
    PROVIDER_CORRELATION_ID_FIELD_NUMBER: _ClassVar[int]
    PROVIDER_IDEMPOTENCY_KEY_FIELD_NUMBER: _ClassVar[int]
    spent_msats: int
    reconciled: bool
    provider_correlation_id: str
    provider_idempotency_key: str
    def __init__(self, spent_msats: _Optional[int] = ..., reconciled: _Optional[bool] = ..., provider_correlation_id: _Optional[str] = ..., provider_idempotency_key: _Optional[str] = ...) -> None: ...

class HoldReleased(_message.Message):
    __slots__ = ("failure_reason", "reconciled")
    FAILURE_REASON_FIELD_NUMBER: _ClassVar[int]
    RECONCILED_FIELD_NUMBER: _ClassVar[int]
    failure_reason: str
    reconciled: bool
    def __init__(self, failure_reason: _Optional[str] = ..., reconciled: _Optional[bool] = ...) -> None: ...

class HoldReconcileRequired(_message.Message):
    __slots__ = ("reason",)
    REASON_FIELD_NUMBER: _ClassVar[int]
    reason: str
    def __init__(self, reason: _Optional[str] = ...) -> None: ...
