"""The protos against the contracts they come from, and against what the product writes (runtime §1.11, §3.2)."""

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from google.protobuf.descriptor import FieldDescriptor

from edge.sync.updates import journal_update
from openagents.lightning import v1 as lightning
from openagents.protocol import v1 as protocol
from openagents.workers import v1 as log
from readmodels.journal import JournalRow
from readmodels.workers import Summary
from schemas.events import Recorded
from schemas.names import SYNC_TOPICS
from schemas.workers import EVENTS

RUNTIME = Path(__file__).parents[2].joinpath("docs", "contract", "runtime.md").read_text(encoding="utf-8")
PACKAGE = RUNTIME.partition("### 1.11")[2].partition("## 2. HTTP contract")[0]
ADDED_EVENTS = {
    "worker_request_claimed",
    "worker_message_claimed",
    "worker_message_expired",
    "worker_turn_usage",
    "worker_limits_set",
    "worker_approval_requested",
    "worker_approval_answered",
}
"""Those of ADR 13; readers of the contract know them as `unknown`."""
REASONS = RUNTIME.partition("### 3.2")[2].partition("### 3.3")[0]


def messages() -> dict[str, str]:
    """The contract's text for each message: what follows its name up to the next message."""
    parts = re.split(r"`([A-Z]\w+)`: ", PACKAGE.partition("Request/response")[0])
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def numbered(text: str) -> dict[str, int]:
    return {name: int(number) for name, number in re.findall(r"\b([a-z]\w*)`? (\d+)", text)}


def listed(text: str) -> dict[str, int]:
    """Fields without numbers count from 1 in listed order."""
    return numbered(text) or {name: at for at, name in enumerate(re.findall(r"[a-z]\w+", text), 1)}


def numbers(descriptor: Any) -> dict[str, int]:
    return {field.name: field.number for field in descriptor.fields}


def names(descriptor: Any) -> list[str]:
    return [field.name for field in descriptor.fields]


def test_the_contract_names_these_messages() -> None:
    assert len(messages()) == 10


@pytest.mark.parametrize("name", messages())
def test_a_message_has_the_contracts_numbers(name: str) -> None:
    outside = re.sub(r"\([^)]*\)", "", messages()[name].partition("Mapping:")[0])
    assert numbers(getattr(protocol, name).DESCRIPTOR) == numbered(outside)


@pytest.mark.parametrize("name", ["RunEvent", "CodexWorkerEvent"])
def test_each_payload_has_the_contracts_fields(name: str) -> None:
    members = getattr(protocol, name).DESCRIPTOR.oneofs_by_name["payload"].fields
    inside = dict(re.findall(r"(\w+) \d+\s+\(([^)]*)\)", messages()[name].partition("oneof")[2]))
    assert inside.keys() == {member.name for member in members}
    for member in members:
        assert numbers(member.message_type) == listed(inside[member.name]), member.name


def test_reason_codes_have_the_contracts_names_and_numbers() -> None:
    codes = {f"REASON_CODE_{code.upper().replace('.', '_')}": int(number) for number, code in _reasons()}
    assert len(codes) > 20
    assert dict(protocol.ReasonCode.items()) == codes | {"REASON_CODE_UNSPECIFIED": 0}


def _reasons() -> list[tuple[str, str]]:
    return re.findall(r"\| (\d+) \| `([\w.]+)` \|", REASONS)


@pytest.mark.parametrize(
    ("enum", "words"),
    [
        ("PaywallStatus", "active paused archived"),
        ("RouteProtocol", "http https"),
        (
            "CompileDiagnosticCode",
            "invalid_pricing_mode missing_pricing invalid_route_pattern invalid_upstream_url missing_route_protocol"
            " duplicate_route ambiguous_route first_match_shadowed no_compilable_routes",
        ),
        ("DeploymentIntentStatus", "pending applied failed rolled_back"),
        ("GatewayEventLevel", "info warn error"),
        ("InvoiceLifecycleStatus", "open settled canceled expired"),
        ("CredentialRole", "gateway_invoice settlement_read operator_admin"),
        ("CredentialRoleStatus", "active rotating revoked"),
    ],
)
def test_lightning_enums_have_the_contracts_numbers(enum: str, words: str) -> None:
    """Lightning §4.2."""
    prefix = re.sub(r"(?<!^)(?=[A-Z])", "_", enum).upper()
    expected = [f"{prefix}_{word.upper()}" for word in ("unspecified", *words.split())]
    assert dict(getattr(lightning, enum).items()) == {name: number for number, name in enumerate(expected)}


def test_an_event_in_the_log_has_the_envelope_that_a_topic_carries() -> None:
    in_the_log = [name for name in Recorded.__struct_fields__ if name not in ("payload", "headers")]
    on_the_topic = [field.name for field in log.WorkerEvent.DESCRIPTOR.fields if field.containing_oneof is None]
    assert sorted(on_the_topic) == sorted(in_the_log)


def test_every_event_of_the_log_is_one_of_the_contract_or_of_a_decision() -> None:
    contract = {field.name for field in protocol.CodexWorkerEvent.DESCRIPTOR.oneofs_by_name["payload"].fields}
    carried: Any = log.WorkerEvent.DESCRIPTOR.oneofs_by_name["payload"].fields
    assert {member.name for member in carried} - {"open_payload"} - contract == ADDED_EVENTS
    assert [member.message_type.full_name for member in carried][1:] == [event.record for event in EVENTS]


def test_a_summary_is_the_contracts_document() -> None:
    assert sorted(names(protocol.CodexWorkerSummary.DESCRIPTOR)) == sorted(Summary.__struct_fields__)


def test_an_update_is_the_contracts_message() -> None:
    row = JournalRow("runtime.codex_worker_summaries", 7, "runtime/x:w", 3, {}, b"\0" * 32, "user:41", 7)
    update = json.loads(journal_update(row).encoded)
    assert sorted(names(protocol.SyncUpdate.DESCRIPTOR)) == sorted(update)


def test_sync_topics_are_the_contracts() -> None:
    topics = {topic.upper().replace(".", "_") for topic in SYNC_TOPICS}
    assert {name.removeprefix("SYNC_TOPIC_") for name, _ in protocol.SyncTopic.items()} == topics | {"UNSPECIFIED"}


def test_messages_travel() -> None:
    at = datetime(2026, 2, 20, 12, 0, 3, 104233, UTC)
    event = protocol.CodexWorkerEvent(
        worker_id="desktopw:demo",
        seq=2**63,
        worker_stopped=protocol.CodexWorkerStopped(reason="stop_requested"),
    )
    event.emitted_at.FromDatetime(at)
    read = protocol.CodexWorkerEvent.FromString(event.SerializeToString())
    assert read.WhichOneof("payload") == "worker_stopped"
    assert (read.seq, read.emitted_at.ToDatetime(UTC), read.worker_stopped.reason) == (2**63, at, "stop_requested")


def test_free_json_is_text() -> None:
    """As the contract has no shape for it (runtime §1.11)."""
    for message, field in (("CodexWorker", "metadata"), ("RunToolCall", "input"), ("CommsSendIntent", "variables")):
        found = getattr(protocol, message).DESCRIPTOR.fields_by_name[field]
        assert found.type == FieldDescriptor.TYPE_STRING
    assert msgspec.json.decode(protocol.CodexWorker(metadata='{"a":1}').metadata) == {"a": 1}
