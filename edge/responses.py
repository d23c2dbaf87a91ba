"""Answers: the envelopes of each API, and which one an error gets (edge §1.1, runtime §2.1, docs/adr/0006)."""

from collections.abc import Mapping, Sequence
from typing import Any

import asyncpg
import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ExceptionHandler

from edge.errors import DatabaseLost, Invalid, Issue, NotInRegistry, Refused
from producers.errors import LogUnavailable, Rejection, TooLarge
from schemas.lost_connections import LOST_CONNECTION

SIGNED_PREFIX = "/internal/v1"
WORKER_PREFIX = "/api/runtime/codex/"
REGISTRY_PREFIX = "/registry"

_STATUS = {"invalid_request": 400, "forbidden": 403, "not_found": 404, "conflict": 409, "stale_cursor": 410}
_CODE = {401: "unauthorized", 403: "forbidden", 404: "not_found", 500: "internal_error", 503: "internal_error"}
_TEXT = {404: "Not Found", 500: "Server Error", 503: "Service Unavailable"}

DATABASE_ERRORS = (
    *LOST_CONNECTION,
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
)
"""What asyncpg raises when Postgres is gone, going or full."""


class Json(Response):
    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        return msgspec.json.encode(content)


class RegistryJson(Json):
    """What clients of a Confluent registry expect to be told."""

    media_type = "application/vnd.schemaregistry.v1+json"


def data(value: Any, status: int = 200) -> Json:
    return Json({"data": value}, status)


def message(status: int, text: str, headers: Mapping[str, str] | None = None) -> Json:
    return Json({"message": text}, status, headers)


def coded(status: int, code: str, text: str, **more: Any) -> Json:
    """`more` stands beside code and message, for example `details`."""
    return Json({"error": {"code": code, "message": text, **more}}, status)


def registry_error(error_code: int, text: str) -> RegistryJson:
    """A code of three digits is the status, one of five begins with it."""
    status = error_code if error_code < 1000 else error_code // 100
    return RegistryJson({"error_code": error_code, "message": text}, status)


def validation(issues: Sequence[Issue]) -> Json:
    """422 with every broken rule under its dotted path."""
    errors: dict[str, list[str]] = {}
    for issue in issues:
        errors.setdefault(issue.path, []).append(issue.text)
    more = len(issues) - 1
    suffix = f" (and {more} more error{'s' if more > 1 else ''})" if more else ""
    return Json({"message": issues[0].text + suffix, "errors": errors}, 422)


def failure(path: str, status: int, text: str, headers: Mapping[str, str] | None = None) -> Json:
    """A framework-level failure in the envelope of the API that the path belongs to (DEC-20)."""
    if not is_signed(path) and not is_registry(path):
        return message(status, text, headers)
    code = _CODE.get(status, "invalid_request")
    answer = registry_error(status, text) if is_registry(path) else coded(status, code, text)
    answer.headers.update(headers or {})
    return answer


def is_signed(path: str) -> bool:
    return path == SIGNED_PREFIX or path.startswith(SIGNED_PREFIX + "/")


def is_registry(path: str) -> bool:
    return path == REGISTRY_PREFIX or path.startswith(REGISTRY_PREFIX + "/")


async def _refused(request: Request, error: Refused) -> Response:
    answer = _refusal(request.url.path, error)
    answer.headers.update(error.headers)
    return answer


def _refusal(path: str, error: Refused) -> Json:
    match error:
        case Invalid() if is_signed(path):
            return coded(400, error.code, error.message, details=[issue.text for issue in error.issues])
        case Invalid() if is_registry(path):
            return registry_error(42201, error.message)
        case NotInRegistry():
            return registry_error(error.error_code, error.message)
        case Invalid():
            return validation(error.issues)
        case DatabaseLost() if path.startswith(WORKER_PREFIX):
            return coded(502, "runtime_codex_failed", error.message)
    return failure(path, error.status, error.message)


async def _rejected(_: Request, error: Rejection) -> Response:
    """The same on both APIs: what the runtime answered always reached the client untouched (edge §2.6)."""
    more = {"details": error.details} if error.details else {}
    return coded(413 if isinstance(error, TooLarge) else _STATUS[error.code], error.code, error.message, **more)


async def _log_unavailable(request: Request, _: Exception) -> Response:
    return await _refused(request, DatabaseLost("The log cannot be reached; try again."))


async def _framework(request: Request, error: HTTPException) -> Response:
    text = _TEXT.get(error.status_code, error.detail)
    return failure(request.url.path, error.status_code, text, error.headers)


EXCEPTION_HANDLERS: dict[type[Exception], ExceptionHandler] = {
    Refused: _refused,  # type: ignore[dict-item]  # Starlette types handlers for Exception only
    Rejection: _rejected,  # type: ignore[dict-item]
    LogUnavailable: _log_unavailable,
    HTTPException: _framework,  # type: ignore[dict-item]
    **dict.fromkeys(DATABASE_ERRORS, _log_unavailable),
}
"""For `Starlette(exception_handlers=...)`; what is not here is a 500 of `edge.middleware`."""
