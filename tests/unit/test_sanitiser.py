"""Redaction (runtime §5.7) that spares what clients correlate on (DEC-14, SD-11)."""

from typing import Any

import pytest

from schemas.sanitiser import sanitise


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("use Bearer abc.def-1 now", "use Bearer [REDACTED] now"),
        ("bearer xyz", "Bearer [REDACTED]"),
        ("key sk-abcdef123456", "key [REDACTED]"),
        ("aaaaaaaaaaaa.bbbbbbbbbbbb.cccccccccccc", "[REDACTED]"),
        ("ask ada@lane.test.", "ask [REDACTED_EMAIL]."),
        ("call +1 (555) 123-4567 now", "call [REDACTED_PHONE] now"),
        ("555-123-4567", "[REDACTED_PHONE]"),
    ],
)
def test_secrets_and_personal_details_go(text: str, expected: str) -> None:
    assert sanitise({"params": [text]}) == {"params": [expected]}


@pytest.mark.parametrize(
    "text",
    [
        "2026-02-20T12:00:03.104233Z",
        "2026-02-20 12:00:03",
        "5b0f0f0e-6c55-4a53-9d2e-3c3f1a1c9b77",
        "11111111-2222-4333-8444-555555555555",
        "12345678901234",
        "desktopw:shared",
        "task-force on desk-skills",
        "1.25.0 and 10.0.0.1",
    ],
)
def test_timestamps_identifiers_and_numbers_stay(text: str) -> None:
    assert sanitise(text) == text


@pytest.mark.parametrize(
    ("field", "value"),
    [("handshake_id", "555-123-4567"), ("turnId", "020 7946 0958 1"), ("occurred_at", "555-123-45678"), ("seq", 12)],
)
def test_fields_that_identify_are_never_rewritten(field: str, value: Any) -> None:
    assert sanitise({field: value}) == {field: value}


@pytest.mark.parametrize(
    ("field", "expected"),
    [
        (" API-Key ", "[REDACTED]"),
        ("Authorization", "[REDACTED]"),
        ("id_token", "[REDACTED]"),
        ("db-password", "[REDACTED]"),
        ("email", "[REDACTED_EMAIL]"),
        ("phone_number", "[REDACTED_PHONE]"),
        ("zip", "[REDACTED]"),
    ],
)
def test_a_redacted_key_replaces_its_whole_value(field: str, expected: str) -> None:
    assert sanitise({"outer": {field: {"deep": [1]}}}) == {"outer": {field: expected}}


def test_the_given_value_is_not_changed() -> None:
    given = {"token": "x", "list": ["a@b.test"]}
    sanitise(given)
    assert given == {"token": "x", "list": ["a@b.test"]}


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    "piece", ["a", "9", "-", "f0", "a.", "1 ", "(1", "a@", "@a", "1-", "a-1.", "Bearer ", "sk-", "é"]
)
def test_the_largest_texts_take_no_longer_than_their_length(piece: str) -> None:
    text = piece * (500_000 // len(piece))
    assert sanitise(f"{text} ada@bank.example Bearer x").endswith("[REDACTED_EMAIL] Bearer [REDACTED]")


@pytest.mark.parametrize(
    "text", ["a@b.example1x@c.example", f"{'x' * 80}@b.example", "a.b@c.example,d@e.example", "<a@b.example>"]
)
def test_addresses_are_found_wherever_they_begin(text: str) -> None:
    assert "@" not in sanitise(text)
