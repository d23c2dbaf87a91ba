"""Events of policy streams as the log keeps them: the records of the topic `oa.policies`.

Made by `python -m schemas.generate` from `openagents/policies/v1/events.proto`; not to be edited.
"""

from typing import ClassVar, Final

from schemas.events import KnownEvent, Payload


class PolicyProposed(KnownEvent, frozen=True):
    """A version of a policy set was written down; it does not count yet."""

    type: ClassVar[str] = "policy.proposed"
    version: ClassVar[int] = 1
    record: ClassVar[str] = "openagents.policies.v1.PolicyProposed"
    json_fields: ClassVar[frozenset[str]] = frozenset({"document"})
    name: str
    policy_version: int
    document: Payload
    document_hash: str


class PolicyActivated(KnownEvent, frozen=True):
    """From here on this version counts."""

    type: ClassVar[str] = "policy.activated"
    version: ClassVar[int] = 1
    record: ClassVar[str] = "openagents.policies.v1.PolicyActivated"
    json_fields: ClassVar[frozenset[str]] = frozenset()
    name: str
    policy_version: int


class PolicyRetired(KnownEvent, frozen=True):
    """No version of the set counts any more."""

    type: ClassVar[str] = "policy.retired"
    version: ClassVar[int] = 1
    record: ClassVar[str] = "openagents.policies.v1.PolicyRetired"
    json_fields: ClassVar[frozenset[str]] = frozenset()
    name: str


EVENTS: Final[tuple[type[KnownEvent], ...]] = (
    PolicyProposed,
    PolicyActivated,
    PolicyRetired,
)
OPEN_PAYLOAD: Final = "openagents.policies.v1.OpenPayload"
