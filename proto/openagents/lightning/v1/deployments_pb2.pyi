from openagents.lightning.v1 import paywalls_pb2 as _paywalls_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class DeploymentIntentStatus(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    DEPLOYMENT_INTENT_STATUS_UNSPECIFIED: _ClassVar[DeploymentIntentStatus]
    DEPLOYMENT_INTENT_STATUS_PENDING: _ClassVar[DeploymentIntentStatus]
    DEPLOYMENT_INTENT_STATUS_APPLIED: _ClassVar[DeploymentIntentStatus]
    DEPLOYMENT_INTENT_STATUS_FAILED: _ClassVar[DeploymentIntentStatus]
    DEPLOYMENT_INTENT_STATUS_ROLLED_BACK: _ClassVar[DeploymentIntentStatus]

class GatewayEventLevel(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    GATEWAY_EVENT_LEVEL_UNSPECIFIED: _ClassVar[GatewayEventLevel]
    GATEWAY_EVENT_LEVEL_INFO: _ClassVar[GatewayEventLevel]
    GATEWAY_EVENT_LEVEL_WARN: _ClassVar[GatewayEventLevel]
    GATEWAY_EVENT_LEVEL_ERROR: _ClassVar[GatewayEventLevel]
DEPLOYMENT_INTENT_STATUS_UNSPECIFIED: DeploymentIntentStatus
DEPLOYMENT_INTENT_STATUS_PENDING: DeploymentIntentStatus
DEPLOYMENT_INTENT_STATUS_APPLIED: DeploymentIntentStatus
DEPLOYMENT_INTENT_STATUS_FAILED: DeploymentIntentStatus
DEPLOYMENT_INTENT_STATUS_ROLLED_BACK: DeploymentIntentStatus
GATEWAY_EVENT_LEVEL_UNSPECIFIED: GatewayEventLevel
GATEWAY_EVENT_LEVEL_INFO: GatewayEventLevel
GATEWAY_EVENT_LEVEL_WARN: GatewayEventLevel
GATEWAY_EVENT_LEVEL_ERROR: GatewayEventLevel

class DeploymentIntent(_message.Message):
    __slots__ = ("deployment_id", "paywall_id", "owner_id", "config_hash", "status", "diagnostics", "metadata", "request_id", "image_digest", "rolled_back_from", "applied_at_ms", "created_at_ms", "updated_at_ms")
    DEPLOYMENT_ID_FIELD_NUMBER: _ClassVar[int]
    PAYWALL_ID_FIELD_NUMBER: _ClassVar[int]
    OWNER_ID_FIELD_NUMBER: _ClassVar[int]
    CONFIG_HASH_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    DIAGNOSTICS_FIELD_NUMBER: _ClassVar[int]
    METADATA_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    IMAGE_DIGEST_FIELD_NUMBER: _ClassVar[int]
    ROLLED_BACK_FROM_FIELD_NUMBER: _ClassVar[int]
    APPLIED_AT_MS_FIELD_NUMBER: _ClassVar[int]
    CREATED_AT_MS_FIELD_NUMBER: _ClassVar[int]
    UPDATED_AT_MS_FIELD_NUMBER: _ClassVar[int]
    deployment_id: str
    paywall_id: str
    owner_id: str
    config_hash: str
    status: DeploymentIntentStatus
    diagnostics: _containers.RepeatedCompositeFieldContainer[_paywalls_pb2.CompileDiagnostic]
    metadata: str
    request_id: str
    image_digest: str
    rolled_back_from: str
    applied_at_ms: int
    created_at_ms: int
    updated_at_ms: int
    def __init__(self, deployment_id: _Optional[str] = ..., paywall_id: _Optional[str] = ..., owner_id: _Optional[str] = ..., config_hash: _Optional[str] = ..., status: _Optional[_Union[DeploymentIntentStatus, str]] = ..., diagnostics: _Optional[_Iterable[_Union[_paywalls_pb2.CompileDiagnostic, _Mapping]]] = ..., metadata: _Optional[str] = ..., request_id: _Optional[str] = ..., image_digest: _Optional[str] = ..., rolled_back_from: _Optional[str] = ..., applied_at_ms: _Optional[int] = ..., created_at_ms: _Optional[int] = ..., updated_at_ms: _Optional[int] = ...) -> None: ...

class GatewayEvent(_message.Message):
    __slots__ = ("event_id", "paywall_id", "owner_id", "event_type", "level", "request_id", "metadata", "created_at_ms")
    EVENT_ID_FIELD_NUMBER: _ClassVar[int]
    PAYWALL_ID_FIELD_NUMBER: _ClassVar[int]
    OWNER_ID_FIELD_NUMBER: _ClassVar[int]
    EVENT_TYPE_FIELD_NUMBER: _ClassVar[int]
    LEVEL_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    METADATA_FIELD_NUMBER: _ClassVar[int]
    CREATED_AT_MS_FIELD_NUMBER: _ClassVar[int]
    event_id: str
    paywall_id: str
    owner_id: str
    event_type: str
    level: GatewayEventLevel
    request_id: str
    metadata: str
    created_at_ms: int
    def __init__(self, event_id: _Optional[str] = ..., paywall_id: _Optional[str] = ..., owner_id: _Optional[str] = ..., event_type: _Optional[str] = ..., level: _Optional[_Union[GatewayEventLevel, str]] = ..., request_id: _Optional[str] = ..., metadata: _Optional[str] = ..., created_at_ms: _Optional[int] = ...) -> None: ...

class RecordGatewayCompileIntentRequest(_message.Message):
    __slots__ = ("config_hash", "status", "deployment_id", "paywall_id", "owner_id", "image_digest", "diagnostics", "metadata", "request_id", "applied_at_ms", "rolled_back_from")
    CONFIG_HASH_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    DEPLOYMENT_ID_FIELD_NUMBER: _ClassVar[int]
    PAYWALL_ID_FIELD_NUMBER: _ClassVar[int]
    OWNER_ID_FIELD_NUMBER: _ClassVar[int]
    IMAGE_DIGEST_FIELD_NUMBER: _ClassVar[int]
    DIAGNOSTICS_FIELD_NUMBER: _ClassVar[int]
    METADATA_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    APPLIED_AT_MS_FIELD_NUMBER: _ClassVar[int]
    ROLLED_BACK_FROM_FIELD_NUMBER: _ClassVar[int]
    config_hash: str
    status: DeploymentIntentStatus
    deployment_id: str
    paywall_id: str
    owner_id: str
    image_digest: str
    diagnostics: _containers.RepeatedCompositeFieldContainer[_paywalls_pb2.CompileDiagnostic]
    metadata: str
    request_id: str
    applied_at_ms: int
    rolled_back_from: str
    def __init__(self, config_hash: _Optional[str] = ..., status: _Optional[_Union[DeploymentIntentStatus, str]] = ..., deployment_id: _Optional[str] = ..., paywall_id: _Optional[str] = ..., owner_id: _Optional[str] = ..., image_digest: _Optional[str] = ..., diagnostics: _Optional[_Iterable[_Union[_paywalls_pb2.CompileDiagnostic, _Mapping]]] = ..., metadata: _Optional[str] = ..., request_id: _Optional[str] = ..., applied_at_ms: _Optional[int] = ..., rolled_back_from: _Optional[str] = ...) -> None: ...

class RecordGatewayCompileIntentResponse(_message.Message):
    __slots__ = ("ok", "deployment")
    OK_FIELD_NUMBER: _ClassVar[int]
    DEPLOYMENT_FIELD_NUMBER: _ClassVar[int]
    ok: bool
    deployment: DeploymentIntent
    def __init__(self, ok: _Optional[bool] = ..., deployment: _Optional[_Union[DeploymentIntent, _Mapping]] = ...) -> None: ...

class RecordGatewayDeploymentEventRequest(_message.Message):
    __slots__ = ("paywall_id", "owner_id", "event_type", "level", "request_id", "metadata", "deployment_id", "config_hash", "execution_path")
    PAYWALL_ID_FIELD_NUMBER: _ClassVar[int]
    OWNER_ID_FIELD_NUMBER: _ClassVar[int]
    EVENT_TYPE_FIELD_NUMBER: _ClassVar[int]
    LEVEL_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    METADATA_FIELD_NUMBER: _ClassVar[int]
    DEPLOYMENT_ID_FIELD_NUMBER: _ClassVar[int]
    CONFIG_HASH_FIELD_NUMBER: _ClassVar[int]
    EXECUTION_PATH_FIELD_NUMBER: _ClassVar[int]
    paywall_id: str
    owner_id: str
    event_type: str
    level: GatewayEventLevel
    request_id: str
    metadata: str
    deployment_id: str
    config_hash: str
    execution_path: str
    def __init__(self, paywall_id: _Optional[str] = ..., owner_id: _Optional[str] = ..., event_type: _Optional[str] = ..., level: _Optional[_Union[GatewayEventLevel, str]] = ..., request_id: _Optional[str] = ..., metadata: _Optional[str] = ..., deployment_id: _Optional[str] = ..., config_hash: _Optional[str] = ..., execution_path: _Optional[str] = ...) -> None: ...

class RecordGatewayDeploymentEventResponse(_message.Message):
    __slots__ = ("ok", "event")
    OK_FIELD_NUMBER: _ClassVar[int]
    EVENT_FIELD_NUMBER: _ClassVar[int]
    ok: bool
    event: GatewayEvent
    def __init__(self, ok: _Optional[bool] = ..., event: _Optional[_Union[GatewayEvent, _Mapping]] = ...) -> None: ...
