from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class SecurityDenyReasonCode(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    SECURITY_DENY_REASON_CODE_UNSPECIFIED: _ClassVar[SecurityDenyReasonCode]
    SECURITY_DENY_REASON_CODE_GLOBAL_PAUSE_ACTIVE: _ClassVar[SecurityDenyReasonCode]
    SECURITY_DENY_REASON_CODE_OWNER_KILL_SWITCH_ACTIVE: _ClassVar[SecurityDenyReasonCode]

class CredentialRole(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    CREDENTIAL_ROLE_UNSPECIFIED: _ClassVar[CredentialRole]
    CREDENTIAL_ROLE_GATEWAY_INVOICE: _ClassVar[CredentialRole]
    CREDENTIAL_ROLE_SETTLEMENT_READ: _ClassVar[CredentialRole]
    CREDENTIAL_ROLE_OPERATOR_ADMIN: _ClassVar[CredentialRole]

class CredentialRoleStatus(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    CREDENTIAL_ROLE_STATUS_UNSPECIFIED: _ClassVar[CredentialRoleStatus]
    CREDENTIAL_ROLE_STATUS_ACTIVE: _ClassVar[CredentialRoleStatus]
    CREDENTIAL_ROLE_STATUS_ROTATING: _ClassVar[CredentialRoleStatus]
    CREDENTIAL_ROLE_STATUS_REVOKED: _ClassVar[CredentialRoleStatus]
SECURITY_DENY_REASON_CODE_UNSPECIFIED: SecurityDenyReasonCode
SECURITY_DENY_REASON_CODE_GLOBAL_PAUSE_ACTIVE: SecurityDenyReasonCode
SECURITY_DENY_REASON_CODE_OWNER_KILL_SWITCH_ACTIVE: SecurityDenyReasonCode
CREDENTIAL_ROLE_UNSPECIFIED: CredentialRole
CREDENTIAL_ROLE_GATEWAY_INVOICE: CredentialRole
CREDENTIAL_ROLE_SETTLEMENT_READ: CredentialRole
CREDENTIAL_ROLE_OPERATOR_ADMIN: CredentialRole
CREDENTIAL_ROLE_STATUS_UNSPECIFIED: CredentialRoleStatus
CREDENTIAL_ROLE_STATUS_ACTIVE: CredentialRoleStatus
CREDENTIAL_ROLE_STATUS_ROTATING: CredentialRoleStatus
CREDENTIAL_ROLE_STATUS_REVOKED: CredentialRoleStatus

class GlobalSecurityState(_message.Message):
    __slots__ = ("state_id", "global_pause", "deny_reason_code", "deny_reason", "updated_by", "updated_at_ms")
    STATE_ID_FIELD_NUMBER: _ClassVar[int]
    GLOBAL_PAUSE_FIELD_NUMBER: _ClassVar[int]
    DENY_REASON_CODE_FIELD_NUMBER: _ClassVar[int]
    DENY_REASON_FIELD_NUMBER: _ClassVar[int]
    UPDATED_BY_FIELD_NUMBER: _ClassVar[int]
    UPDATED_AT_MS_FIELD_NUMBER: _ClassVar[int]
    state_id: str
    global_pause: bool
    deny_reason_code: SecurityDenyReasonCode
    deny_reason: str
    updated_by: str
    updated_at_ms: int
    def __init__(self, state_id: _Optional[str] = ..., global_pause: _Optional[bool] = ..., deny_reason_code: _Optional[_Union[SecurityDenyReasonCode, str]] = ..., deny_reason: _Optional[str] = ..., updated_by: _Optional[str] = ..., updated_at_ms: _Optional[int] = ...) -> None: ...

class OwnerSecurityControl(_message.Message):
    __slots__ = ("owner_id", "kill_switch", "deny_reason_code", "deny_reason", "updated_by", "updated_at_ms")
    OWNER_ID_FIELD_NUMBER: _ClassVar[int]
    KILL_SWITCH_FIELD_NUMBER: _ClassVar[int]
    DENY_REASON_CODE_FIELD_NUMBER: _ClassVar[int]
    DENY_REASON_FIELD_NUMBER: _ClassVar[int]
    UPDATED_BY_FIELD_NUMBER: _ClassVar[int]
    UPDATED_AT_MS_FIELD_NUMBER: _ClassVar[int]
    owner_id: str
    kill_switch: bool
    deny_reason_code: SecurityDenyReasonCode
    deny_reason: str
    updated_by: str
    updated_at_ms: int
    def __init__(self, owner_id: _Optional[str] = ..., kill_switch: _Optional[bool] = ..., deny_reason_code: _Optional[_Union[SecurityDenyReasonCode, str]] = ..., deny_reason: _Optional[str] = ..., updated_by: _Optional[str] = ..., updated_at_ms: _Optional[int] = ...) -> None: ...

class CredentialRoleState(_message.Message):
    __slots__ = ("role", "status", "version", "fingerprint", "note", "updated_at_ms", "last_rotated_at_ms", "revoked_at_ms")
    ROLE_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    FINGERPRINT_FIELD_NUMBER: _ClassVar[int]
    NOTE_FIELD_NUMBER: _ClassVar[int]
    UPDATED_AT_MS_FIELD_NUMBER: _ClassVar[int]
    LAST_ROTATED_AT_MS_FIELD_NUMBER: _ClassVar[int]
    REVOKED_AT_MS_FIELD_NUMBER: _ClassVar[int]
    role: CredentialRole
    status: CredentialRoleStatus
    version: int
    fingerprint: str
    note: str
    updated_at_ms: int
    last_rotated_at_ms: int
    revoked_at_ms: int
    def __init__(self, role: _Optional[_Union[CredentialRole, str]] = ..., status: _Optional[_Union[CredentialRoleStatus, str]] = ..., version: _Optional[int] = ..., fingerprint: _Optional[str] = ..., note: _Optional[str] = ..., updated_at_ms: _Optional[int] = ..., last_rotated_at_ms: _Optional[int] = ..., revoked_at_ms: _Optional[int] = ...) -> None: ...

class GetControlPlaneSecurityStateRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetControlPlaneSecurityStateResponse(_message.Message):
    __slots__ = ("ok", "owner_controls", "credential_roles")
    OK_FIELD_NUMBER: _ClassVar[int]
    GLOBAL_FIELD_NUMBER: _ClassVar[int]
    OWNER_CONTROLS_FIELD_NUMBER: _ClassVar[int]
    CREDENTIAL_ROLES_FIELD_NUMBER: _ClassVar[int]
    ok: bool
    owner_controls: _containers.RepeatedCompositeFieldContainer[OwnerSecurityControl]
    credential_roles: _containers.RepeatedCompositeFieldContainer[CredentialRoleState]
    def __init__(self, ok: _Optional[bool] = ..., owner_controls: _Optional[_Iterable[_Union[OwnerSecurityControl, _Mapping]]] = ..., credential_roles: _Optional[_Iterable[_Union[CredentialRoleState, _Mapping]]] = ..., **kwargs) -> None: ...

class SetGlobalPauseRequest(_message.Message):
    __slots__ = ("active", "reason", "updated_by")
    ACTIVE_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    UPDATED_BY_FIELD_NUMBER: _ClassVar[int]
    active: bool
    reason: str
    updated_by: str
    def __init__(self, active: _Optional[bool] = ..., reason: _Optional[str] = ..., updated_by: _Optional[str] = ...) -> None: ...

class SetGlobalPauseResponse(_message.Message):
    __slots__ = ("ok",)
    OK_FIELD_NUMBER: _ClassVar[int]
    GLOBAL_FIELD_NUMBER: _ClassVar[int]
    ok: bool
    def __init__(self, ok: _Optional[bool] = ..., **kwargs) -> None: ...

class SetOwnerKillSwitchRequest(_message.Message):
    __slots__ = ("owner_id", "active", "reason", "updated_by")
    OWNER_ID_FIELD_NUMBER: _ClassVar[int]
    ACTIVE_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    UPDATED_BY_FIELD_NUMBER: _ClassVar[int]
    owner_id: str
    active: bool
    reason: str
    updated_by: str
    def __init__(self, owner_id: _Optional[str] = ..., active: _Optional[bool] = ..., reason: _Optional[str] = ..., updated_by: _Optional[str] = ...) -> None: ...

class SetOwnerKillSwitchResponse(_message.Message):
    __slots__ = ("ok", "owner_control")
    OK_FIELD_NUMBER: _ClassVar[int]
    OWNER_CONTROL_FIELD_NUMBER: _ClassVar[int]
    ok: bool
    owner_control: OwnerSecurityControl
    def __init__(self, ok: _Optional[bool] = ..., owner_control: _Optional[_Union[OwnerSecurityControl, _Mapping]] = ...) -> None: ...

class ChangeCredentialRoleRequest(_message.Message):
    __slots__ = ("role", "fingerprint", "note")
    ROLE_FIELD_NUMBER: _ClassVar[int]
    FINGERPRINT_FIELD_NUMBER: _ClassVar[int]
    NOTE_FIELD_NUMBER: _ClassVar[int]
    role: CredentialRole
    fingerprint: str
    note: str
    def __init__(self, role: _Optional[_Union[CredentialRole, str]] = ..., fingerprint: _Optional[str] = ..., note: _Optional[str] = ...) -> None: ...

class ChangeCredentialRoleResponse(_message.Message):
    __slots__ = ("ok", "role")
    OK_FIELD_NUMBER: _ClassVar[int]
    ROLE_FIELD_NUMBER: _ClassVar[int]
    ok: bool
    role: CredentialRoleState
    def __init__(self, ok: _Optional[bool] = ..., role: _Optional[_Union[CredentialRoleState, _Mapping]] = ...) -> None: ...
