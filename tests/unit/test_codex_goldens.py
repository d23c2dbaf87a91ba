"""What two versions of Codex once said is mirrored as it was then; `python -m tests.record_codex` recorded both."""

import itertools

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from oa_client.worker.legacy import MODERN_TWINS, repeats_a_modern_one
from oa_client.worker.mirror import mirrored
from oa_client.workers import Payload

from tests.codex_scenes import SCENES, VERSIONS, Version, read
from tests.record_codex import OCCURRED_AT

RECORDINGS = list(itertools.product(VERSIONS, SCENES))

recorded = pytest.mark.parametrize(
    ("version", "scene"), RECORDINGS, ids=[f"{version.number}-{scene}" for version, scene in RECORDINGS]
)


def messages(version: Version, scene: str) -> list[Payload]:
    return read(version.recorded / f"{scene}.jsonl")


@recorded
def test_a_recording_is_mirrored_as_it_was_recorded(version: Version, scene: str) -> None:
    events = [mirrored(message, OCCURRED_AT) for message in messages(version, scene)]
    expected = read(version.recorded / f"{scene}.events.jsonl")
    assert [list(event) for event in events if event] == expected
    assert expected[-1][1]["method"] == "turn/completed"


@recorded
def test_only_what_its_twin_says_too_stays_on_the_machine(version: Version, scene: str) -> None:
    said = {message["method"] for message in messages(version, scene)}
    left_out = {message["method"] for message in messages(version, scene) if not mirrored(message, OCCURRED_AT)}
    twins = {MODERN_TWINS[method.removeprefix("codex/event/")] for method in left_out}
    assert [twin for twin in twins if not {twin, OTHER_TWINS.get(twin)} & said] == []
    assert said - left_out >= {method for method in said if not method.startswith("codex/event/")}


OTHER_TWINS = {
    "thread/tokenUsage/updated": "account/rateLimits/updated",
    "item/commandExecution/outputDelta": "item/fileChange/outputDelta",
}
"""What the same event of the older family is when there are no tokens yet, or when a file changes."""


@recorded
def test_params_leave_the_machine_byte_for_byte(version: Version, scene: str) -> None:
    kept = [message for message in messages(version, scene) if not repeats_a_modern_one(message["method"])]
    sent = [event[1]["params"] for message in kept if (event := mirrored(message, OCCURRED_AT))]
    assert [msgspec.json.encode(params) for params in sent] == [msgspec.json.encode(one["params"]) for one in kept]


@pytest.mark.parametrize(
    "method", ["codex/event/warning", "codex/event/mcp_startup_complete", "codex/event/new_in_0_105"]
)
def test_what_only_the_older_family_says_is_mirrored(method: str) -> None:
    event = mirrored({"method": method, "params": {"msg": {"type": "t"}}}, OCCURRED_AT)
    assert event is not None
    assert (event[0], event[1]["method"]) == ("worker.event", method)


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**80), 2**80)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(st.text(), st.dictionaries(st.text(), JSON))
def test_a_notification_that_nobody_knows_passes_untouched(name: str, params: Payload) -> None:
    line = msgspec.json.encode({"method": f"new/{name}", "params": params})
    event = mirrored(msgspec.json.decode(line), OCCURRED_AT)
    assert event is not None
    assert msgspec.json.encode({name: event[1][name] for name in ("method", "params")}) == line
