"""Everything this library raises.

OaError
├── Unreachable             no whole answer came: refused, cut or timed out; the call may or may not have been done
├── BadAnswer               an answer came, but not in the shape the contract promises
├── Refused                 the server answered with an error: status, code, message
│   ├── InvalidInput        400, 413, 422
│   ├── Unauthorized        401
│   ├── Forbidden           403
│   ├── NotFound            404
│   ├── Conflict            409
│   ├── StaleCursor         410 on a stream, `stale_cursor` on the socket
│   ├── TooManyRequests     429
│   └── ServerFailed        5xx, or an error frame inside a stream
├── SubscriptionRefused     the socket refused a subscription: code
├── RequestFailed           a worker was asked and answered with an error, or nobody answered in time: code, message
├── NotSignedIn             no token for this address; the message says how to get one
├── StoreFailed             the daemon's own file cannot be used: disk full, or another daemon has it
└── CodexFailed             the local Codex
    ├── NoCodex             none was found; the message says how to get one
    ├── CodexExited         it ended, or did not start
    ├── CodexError          it answered a request with an error
    └── OverLimit           it was not asked, because a cap leaves nothing for another turn
"""

import msgspec


class OaError(Exception):
    pass


class Unreachable(OaError):
    pass


class BadAnswer(OaError):
    pass


class Refused(OaError):
    """`reason_code` is the first that `error.details` names (docs/adr/0013), else empty."""

    def __init__(self, status: int, code: str, message: str, reason_code: str = "") -> None:
        super().__init__(f"{message} ({status} {code})" if code else f"{message} ({status})")
        self.status = status
        self.code = code
        self.message = message
        self.reason_code = reason_code


class InvalidInput(Refused):
    pass


class Unauthorized(Refused):
    pass


class Forbidden(Refused):
    pass


class NotFound(Refused):
    pass


class Conflict(Refused):
    pass


class StaleCursor(Refused):
    pass


class TooManyRequests(Refused):
    pass


class ServerFailed(Refused):
    pass


class SubscriptionRefused(OaError):
    def __init__(self, code: str) -> None:
        super().__init__(f"the subscription was refused: {code}")
        self.code = code


class RequestFailed(OaError):
    def __init__(self, code: int, message: str) -> None:
        super().__init__(f"{message} ({code})")
        self.code = code
        self.message = message


class NotSignedIn(OaError):
    pass


class StoreFailed(OaError):
    pass


class CodexFailed(OaError):
    pass


class NoCodex(CodexFailed):
    pass


class CodexExited(CodexFailed):
    """`status` as the operating system tells it, negative for a signal; None when it did not start."""

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


class CodexError(CodexFailed):
    pass


class OverLimit(CodexFailed):
    pass


TRANSIENT = (Unreachable, ServerFailed, TooManyRequests)
"""What is worth another attempt with the same content."""

_BY_STATUS: dict[int, type[Refused]] = {
    400: InvalidInput,
    401: Unauthorized,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    410: StaleCursor,
    413: InvalidInput,
    422: InvalidInput,
    429: TooManyRequests,
}


def refusal(status: int, body: bytes) -> Refused:
    """The exception for an error answer in any of the envelopes of edge §1.1."""
    answer = _object(body)
    coded = answer.get("error")
    coded = coded if isinstance(coded, dict) else {}
    kind = ServerFailed if status >= 500 else _BY_STATUS.get(status, Refused)
    message = str(coded.get("message") or answer.get("message") or f"HTTP {status}")
    return kind(status, str(coded.get("code") or ""), message, _reason_code(coded.get("details")))


def _object(body: bytes) -> dict[str, object]:
    try:
        answer = msgspec.json.decode(body)
    except msgspec.DecodeError:
        return {}
    return answer if isinstance(answer, dict) else {}


def _reason_code(details: object) -> str:
    match details:
        case [{"reason_code": str(reason_code)}, *_]:
            return reason_code
    return ""
