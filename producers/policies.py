"""Policy sets: versions of an owner's rules, proposed first, then activated; one version counts at most (ADR 14)."""

from collections.abc import Iterable
from datetime import datetime
from typing import Final

import msgspec

from producers.errors import Conflict, InvalidRequest, NotFound, TooLarge
from producers.eventlog.commands import Decider
from producers.policy_documents import document
from producers.policy_rules import ActiveSet, Rules
from schemas import canonical_json, hashing
from schemas.events import NewEvent, OpenEvent, Payload, Recorded
from schemas.names import POLICY, policy_name_of
from schemas.policies_generated import PolicyActivated, PolicyProposed, PolicyRetired

MAX_BYTES: Final = 128 * 1024
"""As canonical JSON; a stream's state keeps two of them."""


class Version(msgspec.Struct, frozen=True):
    """A document as it was given; one that was erased is empty."""

    number: int
    document: Payload
    document_hash: str


class PolicySet(msgspec.Struct, frozen=True):
    """A set's state, inline in its stream; `proposed` is the newest version until it is activated."""

    name: str
    owner: str
    updated_at: datetime
    latest: int = 0
    proposed: Version | None = None
    active: Version | None = None


class ProposePolicy(msgspec.Struct, frozen=True):
    """Write down a version; the newest one again is a replay. `document` names the set."""

    document: Payload


class ActivatePolicy(msgspec.Struct, frozen=True):
    """Let the proposed version count, and no older one; the document's hash says which one is meant."""

    document_hash: str


class RetirePolicy(msgspec.Struct, frozen=True):
    pass


class ErasePolicy(msgspec.Struct, frozen=True):
    """What was written until now is going to be erased, and counts no more (ADR 12)."""


Command = ProposePolicy | ActivatePolicy | RetirePolicy | ErasePolicy


def decide(policy: PolicySet | None, command: Command, now: datetime) -> list[NewEvent]:
    match command:
        case ProposePolicy():
            return _propose(policy, command)
        case _ if policy is None:
            raise NotFound("no such policy set")
        case ActivatePolicy():
            return _activate(policy, command.document_hash)
        case RetirePolicy():
            return [PolicyRetired(policy.name)] if policy.active or policy.proposed else []
        case ErasePolicy():
            return [PolicyRetired(policy.name)]


def evolve(policy: PolicySet | None, event: Recorded) -> PolicySet:
    before = policy or PolicySet(policy_name_of(event.stream), event.owner, event.recorded_at)
    match event.type:
        case PolicyProposed.type:
            changes = _proposed(before, event.payload)
        case PolicyActivated.type:
            changes = {"active": before.proposed, "proposed": None}
        case PolicyRetired.type:
            changes = {"active": None, "proposed": None}
        case _:
            changes = {}
    return msgspec.structs.replace(before, updated_at=event.recorded_at, **changes)


def stand_in(_: int) -> NewEvent:
    """What a recovery writes where a lost event stood: no version counts until somebody looks (ADR 11)."""
    return OpenEvent(PolicyRetired.type, {}, PolicyRetired.version)


DECIDER: Final[Decider[PolicySet, Command]] = Decider(
    kind=POLICY,
    state=PolicySet,
    state_version=1,
    decide=decide,
    evolve=evolve,
    stand_in=stand_in,
    erase=ErasePolicy(),
)


def rules_of(sets: Iterable[PolicySet]) -> Rules:
    """The rules that count, compiled; in the order of the sets' names. It takes milliseconds: keep it."""
    active = {each.name: each.active for each in sets if each.active}
    return Rules(ActiveSet(active[name].number, document(active[name].document)) for name in sorted(active))


def document_hash(written: Payload) -> str:
    """H of a document (runtime §0.4): what a version is known by."""
    return hashing.hex_digest(written)


def _propose(policy: PolicySet | None, command: ProposePolicy) -> list[NewEvent]:
    if len(canonical_json.encode(command.document)) > MAX_BYTES:
        raise TooLarge(f"a policy set is at most {MAX_BYTES // 1024} KiB")
    read = document(command.document)
    if policy is not None and policy.name != read.name:
        raise InvalidRequest(f"this is {read.name}, not {policy.name}")
    digest = document_hash(command.document)
    newest = policy and (policy.proposed or policy.active)
    if newest and newest.document_hash == digest:
        return []
    number = policy.latest + 1 if policy else 1
    return [PolicyProposed(read.name, number, command.document, digest)]


def _activate(policy: PolicySet, document_hash: str) -> list[NewEvent]:
    if policy.proposed and policy.proposed.document_hash == document_hash:
        return [PolicyActivated(policy.name, policy.proposed.number)]
    if policy.active and policy.active.document_hash == document_hash:
        return []
    raise Conflict("this is not the version that is proposed")


def _proposed(before: PolicySet, payload: Payload) -> Payload:
    """Numbers have no gaps, so that a version whose payload was erased has its own still."""
    number = before.latest + 1
    version = Version(number, payload.get("document", {}), payload.get("document_hash", ""))
    return {"latest": number, "proposed": version}
