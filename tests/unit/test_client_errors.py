"""Error answers in every envelope of edge §1.1 become the exception that says what happened."""

import pytest
from oa_client import errors


@pytest.mark.parametrize(
    ("status", "body", "kind", "code", "message"),
    [
        (401, b'{"message":"Unauthenticated."}', errors.Unauthorized, "", "Unauthenticated."),
        (403, b'{"error":{"code":"forbidden","message":"not yours"}}', errors.Forbidden, "forbidden", "not yours"),
        (404, b"", errors.NotFound, "", "HTTP 404"),
        (409, b'{"error":{"code":"conflict","message":"stopped"}}', errors.Conflict, "conflict", "stopped"),
        (410, b'{"error":{"code":"stale_cursor","message":"old"}}', errors.StaleCursor, "stale_cursor", "old"),
        (422, b'{"message":"Wrong.","errors":{"code":["Wrong."]}}', errors.InvalidInput, "", "Wrong."),
        (429, b'{"message":"Too Many Attempts."}', errors.TooManyRequests, "", "Too Many Attempts."),
        (503, b"<html>down</html>", errors.ServerFailed, "", "HTTP 503"),
        (502, b'{"error":{"code":"runtime_codex_failed"}}', errors.ServerFailed, "runtime_codex_failed", "HTTP 502"),
        (418, b"[1]", errors.Refused, "", "HTTP 418"),
    ],
)
def test_an_error_answer_becomes_the_exception_of_its_status(
    status: int, body: bytes, kind: type[errors.Refused], code: str, message: str
) -> None:
    refused = errors.refusal(status, body)
    assert (type(refused), refused.status, refused.code, refused.message) == (kind, status, code, message)


def test_every_exception_is_drawn_in_the_tree() -> None:
    drawn = errors.__doc__ or ""
    raised = [name for name, value in vars(errors).items() if isinstance(value, type)]
    assert [name for name in raised if name not in drawn] == []
