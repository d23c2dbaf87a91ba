import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from openagents.log.v1 import options_pb2 as _options_pb2
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class RunLogEvent(_message.Message):
    __slots__ = ("position", "kind", "stream", "seq", "type", "version", "owner", "recorded_at", "digest", "open_payload", "run_created", "run_started", "run_delta", "run_frame_consumed", "run_cancel_requested", "run_loop_detected", "run_executor_lost", "run_finished", "policy_decision", "policy_budget_exhausted", "spend_answered", "lease_acquired", "lease_released")
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
    RUN_CREATED_FIELD_NUMBER: _ClassVar[int]
    RUN_STARTED_FIELD_NUMBER: _ClassVar[int]
    RUN_DELTA_FIELD_NUMBER: _ClassVar[int]
    RUN_FRAME_CONSUMED_FIELD_NUMBER: _ClassVar[int]
    RUN_CANCEL_REQUESTED_FIELD_NUMBER: _ClassVar[int]
    RUN_LOOP_DETECTED_FIELD_NUMBER: _ClassVar[int]
    RUN_EXECUTOR_LOST_FIELD_NUMBER: _ClassVar[int]
    RUN_FINISHED_FIELD_NUMBER: _ClassVar[int]
    POLICY_DECISION_FIELD_NUMBER: _ClassVar[int]
    POLICY_BUDGET_EXHAUSTED_FIELD_NUMBER: _ClassVar[int]
    SPEND_ANSWERED_FIELD_NUMBER: _ClassVar[int]
    LEASE_ACQUIRED_FIELD_NUMBER: _ClassVar[int]
    LEASE_RELEASED_FIELD_NUMBER: _ClassVar[int]
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
    run_created: RunCreated
    run_started: RunStarted
    run_delta: RunDelta
    run_frame_consumed: RunFrameConsumed
    run_cancel_requested: RunCancelRequested
    run_loop_detected: RunLoopDetected
    run_executor_lost: RunExecutorLost
    run_finished: RunFinished
    policy_decision: PolicyDecision
    policy_budget_exhausted: PolicyBudgetExhausted
    spend_answered: SpendAnswered
    lease_acquired: LeaseAcquired
    lease_released: LeaseReleased
    def __init__(self, position: _Optional[int] = ..., kind: _Optional[str] = ..., stream: _Optional[str] = ..., seq: _Optional[int] = ..., type: _Optional[str] = ..., version: _Optional[int] = ..., owner: _Optional[str] = ..., recorded_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., digest: _Optional[bytes] = ..., open_payload: _Optional[_Union[OpenPayload, _Mapping]] = ..., run_created: _Optional[_Union[RunCreated, _Mapping]] = ..., run_started: _Optional[_Union[RunStarted, _Mapping]] = ..., run_delta: _Optional[_Union[RunDelta, _Mapping]] = ..., run_frame_consumed: _Optional[_Union[RunFrameConsumed, _Mapping]] = ..., run_cancel_requested: _Optional[_Union[RunCancelRequested, _Mapping]] = ..., run_loop_detected: _Optional[_Union[RunLoopDetected, _Mapping]] = ..., run_executor_lost: _Optional[_Union[RunExecutorLost, _Mapping]] = ..., run_finished: _Optional[_Union[RunFinished, _Mapping]] = ..., policy_decision: _Optional[_Union[PolicyDecision, _Mapping]] = ..., policy_budget_exhausted: _Optional[_Union[PolicyBudgetExhausted, _Mapping]] = ..., spend_answered: _Optional[_Union[SpendAnswered, _Mapping]] = ..., lease_acquired: _Optional[_Union[LeaseAcquired, _Mapping]] = ..., lease_released: _Optional[_Union[LeaseReleased, _Mapping]] = ...) -> None: ...

class OpenPayload(_message.Message):
    __slots__ = ("json",)
    JSON_FIELD_NUMBER: _ClassVar[int]
    json: str
    def __init__(self, json: _Optional[str] = ...) -> None: ...

class RunCreated(_message.Message):
    __slots__ = ("run_id", "thread_id")
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    THREAD_ID_FIELD_NUMBER: _ClassVar[int]
    run_id: str
    thread_id: str
    def __init__(self, run_id: _Optional[str] = ..., thread_id: _Optional[str] = ...) -> None: ...

class RunStarted(_message.Message):
    __slots__ = ("actor",)
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    actor: str
    def __init__(self, actor: _Optional[str] = ...) -> None: ...

class RunDelta(_message.Message):
    __slots__ = ("delta", "frame_id")
    DELTA_FIELD_NUMBER: _ClassVar[int]
    FRAME_ID_FIELD_NUMBER: _ClassVar[int]
    delta: str
    frame_id: str
    def __init__(self, delta: _Optional[str] = ..., frame_id: _Optional[str] = ...) -> None: ...

class RunFrameConsumed(_message.Message):
    __slots__ = ("frame_id", "frame_type", "payload")
    FRAME_ID_FIELD_NUMBER: _ClassVar[int]
    FRAME_TYPE_FIELD_NUMBER: _ClassVar[int]
    PAYLOAD_FIELD_NUMBER: _ClassVar[int]
    frame_id: str
    frame_type: str
    payload: str
    def __init__(self, frame_id: _Optional[str] = ..., frame_type: _Optional[str] = ..., payload: _Optional[str] = ...) -> None: ...

class RunCancelRequested(_message.Message):
    __slots__ = ("reason", "requested_by", "requested_at", "frame_id", "frame_type", "payload", "reason_class")
    REASON_FIELD_NUMBER: _ClassVar[int]
    REQUESTED_BY_FIELD_NUMBER: _ClassVar[int]
    REQUESTED_AT_FIELD_NUMBER: _ClassVar[int]
    FRAME_ID_FIELD_NUMBER: _ClassVar[int]
    FRAME_TYPE_FIELD_NUMBER: _ClassVar[int]
    PAYLOAD_FIELD_NUMBER: _ClassVar[int]
    REASON_CLASS_FIELD_NUMBER: _ClassVar[int]
    reason: str
    requested_by: str
    requested_at: str
    frame_id: str
    frame_type: str
    payload: str
    reason_class: str
    def __init__(self, reason: _Optional[str] = ..., requested_by: _Optional[str] = ..., requested_at: _Optional[str] = ..., frame_id: _Optional[str] = ..., frame_type: _Optional[str] = ..., payload: _Optional[str] = ..., reason_class: _Optional[str] = ...) -> None: ...

class RunLoopDetected(_message.Message):
    __slots__ = ("frame_id", "frame_type", "detector", "level", "count", "reason_code", "loop_detected_reason", "message")
    FRAME_ID_FIELD_NUMBER: _ClassVar[int]
    FRAME_TYPE_FIELD_NUMBER: _ClassVar[int]
    DETECTOR_FIELD_NUMBER: _ClassVar[int]
    LEVEL_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    REASON_CODE_FIELD_NUMBER: _ClassVar[int]
    LOOP_DETECTED_REASON_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    frame_id: str
    frame_type: str
    detector: str
    level: str
    count: int
    reason_code: str
    loop_detected_reason: str
    message: str
    def __init__(self, frame_id: _Optional[str] = ..., frame_type: _Optional[str] = ..., detector: _Optional[str] = ..., level: _Optional[str] = ..., count: _Optional[int] = ..., reason_code: _Optional[str] = ..., loop_detected_reason: _Optional[str] = ..., message: _Optional[str] = ...) -> None: ...

class RunExecutorLost(_message.Message):
    __slots__ = ("lease_owner", "lease_expires_at", "detected_at", "last_progress_seq")
    LEASE_OWNER_FIELD_NUMBER: _ClassVar[int]
    LEASE_EXPIRES_AT_FIELD_NUMBER: _ClassVar[int]
    DETECTED_AT_FIELD_NUMBER: _ClassVar[int]
    LAST_PROGRESS_SEQ_FIELD_NUMBER: _ClassVar[int]
    lease_owner: str
    lease_expires_at: str
    detected_at: str
    last_progress_seq: int
    def __init__(self, lease_owner: _Optional[str] = ..., lease_expires_at: _Optional[str] = ..., detected_at: _Optional[str] = ..., last_progress_seq: _Optional[int] = ...) -> None: ...

class RunFinished(_message.Message):
    __slots__ = ("status", "reason_class", "reason", "frame_id", "reason_code", "detector", "loop_detected_reason")
    STATUS_FIELD_NUMBER: _ClassVar[int]
    REASON_CLASS_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    FRAME_ID_FIELD_NUMBER: _ClassVar[int]
    REASON_CODE_FIELD_NUMBER: _ClassVar[int]
    DETECTOR_FIELD_NUMBER: _ClassVar[int]
    LOOP_DETECTED_REASON_FIELD_NUMBER: _ClassVar[int]
    status: str
    reason_class: str
    reason: str
    frame_id: str
    reason_code: str
    detector: str
    loop_detected_reason: str
    def __init__(self, status: _Optional[str] = ..., reason_class: _Optional[str] = ..., reason: _Optional[str] = ..., frame_id: _Optional[str] = ..., reason_code: _Optional[str] = ..., detector: _Optional[str] = ..., loop_detected_reason: _Optional[str] = ...) -> None: ...

class PolicyDecision(_message.Message):
    __slots__ = ("decision", "reason_code", "tool_call_id", "authorization_id", "authorization_mode", "budget", "policy_decision_id", "amount_sats", "detail", "rule", "inputs")
    DECISION_FIELD_NUMBER: _ClassVar[int]
    REASON_CODE_FIELD_NUMBER: _ClassVar[int]
    TOOL_CALL_ID_FIELD_NUMBER: _ClassVar[int]
    AUTHORIZATION_ID_FIELD_NUMBER: _ClassVar[int]
    AUTHORIZATION_MODE_FIELD_NUMBER: _ClassVar[int]
    BUDGET_FIELD_NUMBER: _ClassVar[int]
    POLICY_DECISION_ID_FIELD_NUMBER: _ClassVar[int]
    AMOUNT_SATS_FIELD_NUMBER: _ClassVar[int]
    DETAIL_FIELD_NUMBER: _ClassVar[int]
    RULE_FIELD_NUMBER: _ClassVar[int]
    INPUTS_FIELD_NUMBER: _ClassVar[int]
    decision: str
    reason_code: str
    tool_call_id: str
    authorization_id: str
    authorization_mode: str
    budget: str
    policy_decision_id: str
    amount_sats: int
    detail: str
    rule: str
    inputs: str
    def __init__(self, decision: _Optional[str] = ..., reason_code: _Optional[str] = ..., tool_call_id: _Optional[str] = ..., authorization_id: _Optional[str] = ..., authorization_mode: _Optional[str] = ..., budget: _Optional[str] = ..., policy_decision_id: _Optional[str] = ..., amount_sats: _Optional[int] = ..., detail: _Optional[str] = ..., rule: _Optional[str] = ..., inputs: _Optional[str] = ...) -> None: ...

class PolicyBudgetExhausted(_message.Message):
    __slots__ = ("decision", "reason_code", "tool_call_id", "authorization_id", "authorization_mode", "budget", "policy_decision_id", "amount_sats", "detail", "rule", "inputs")
    DECISION_FIELD_NUMBER: _ClassVar[int]
    REASON_CODE_FIELD_NUMBER: _ClassVar[int]
    TOOL_CALL_ID_FIELD_NUMBER: _ClassVar[int]
    AUTHORIZATION_ID_FIELD_NUMBER: _ClassVar[int]
    AUTHORIZATION_MODE_FIELD_NUMBER: _ClassVar[int]
    BUDGET_FIELD_NUMBER: _ClassVar[int]
    POLICY_DECISION_ID_FIELD_NUMBER: _ClassVar[int]
    AMOUNT_SATS_FIELD_NUMBER: _ClassVar[int]
    DETAIL_FIELD_NUMBER: _ClassVar[int]
    RULE_FIELD_NUMBER: _ClassVar[int]
    INPUTS_FIELD_NUMBER: _ClassVar[int]
    decision: str
    reason_code: str
    tool_call_id: str
    authorization_id: str
    authorization_mode: str
    budget: str
    policy_decision_id: str
    amount_sats: int
    detail: str
    rule: str
    inputs: str
    def __init__(self, decision: _Optional[str] = ..., reason_code: _Optional[str] = ..., tool_call_id: _Optional[str] = ..., authorization_id: _Optional[str] = ..., authorization_mode: _Optional[str] = ..., budget: _Optional[str] = ..., policy_decision_id: _Optional[str] = ..., amount_sats: _Optional[int] = ..., detail: _Optional[str] = ..., rule: _Optional[str] = ..., inputs: _Optional[str] = ...) -> None: ...

class SpendAnswered(_message.Message):
    __slots__ = ("frame_id", "tool_call_id", "operation", "ok", "reason_code", "reservation")
    FRAME_ID_FIELD_NUMBER: _ClassVar[int]
    TOOL_CALL_ID_FIELD_NUMBER: _ClassVar[int]
    OPERATION_FIELD_NUMBER: _ClassVar[int]
    OK_FIELD_NUMBER: _ClassVar[int]
    REASON_CODE_FIELD_NUMBER: _ClassVar[int]
    RESERVATION_FIELD_NUMBER: _ClassVar[int]
    frame_id: str
    tool_call_id: str
    operation: str
    ok: bool
    reason_code: str
    reservation: str
    def __init__(self, frame_id: _Optional[str] = ..., tool_call_id: _Optional[str] = ..., operation: _Optional[str] = ..., ok: _Optional[bool] = ..., reason_code: _Optional[str] = ..., reservation: _Optional[str] = ...) -> None: ...

class LeaseAcquired(_message.Message):
    __slots__ = ("outcome", "lease_owner", "lease_expires_at", "last_progress_seq")
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    LEASE_OWNER_FIELD_NUMBER: _ClassVar[int]
    LEASE_EXPIRES_AT_FIELD_NUMBER: _ClassVar[int]
    LAST_PROGRESS_SEQ_FIELD_NUMBER: _ClassVar[int]
    outcome: str
    lease_owner: str
    lease_expires_at: str
    last_progress_seq: int
    def __init__(self, outcome: _Optional[str] = ..., lease_owner: _Optional[str] = ..., lease_expires_at: _Optional[str] = ..., last_progress_seq: _Optional[int] = ...) -> None: ...

class LeaseReleased(_message.Message):
    __slots__ = ("lease_owner", "last_progress_seq")
    LEASE_OWNER_FIELD_NUMBER: _ClassVar[int]
    LAST_PROGRESS_SEQ_FIELD_NUMBER: _ClassVar[int]
    lease_owner: str
    last_progress_seq: int
    def __init__(self, lease_owner: _Optional[str] = ..., last_progress_seq: _Optional[int] = ...) -> None: ...
