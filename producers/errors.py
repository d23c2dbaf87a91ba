"""Why a command was not accepted.

Rejection                    a caller can act on it; carries the contract's code (runtime §2.1)
├── InvalidRequest           invalid_request
├── TooLarge                 invalid_request, 413 at the edge (DEC-49)
├── Forbidden                forbidden
├── NotFound                 not_found
└── Conflict                 conflict
    └── IdentityConflict     same client-made identity, other content (DESIGN I6)
"""


class Rejection(Exception):
    """Raised by `decide` and by the log; nothing was written. `reason_code` is for programs that act on it (ADR 13)."""

    code = "invalid_request"

    def __init__(self, message: str, *, reason_code: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.reason_code = reason_code

    @property
    def details(self) -> list[dict[str, str]]:
        """What programs are told (runtime §2.1)."""
        return [{"reason_code": self.reason_code}] if self.reason_code else []


class InvalidRequest(Rejection):
    pass


class TooLarge(Rejection):
    pass


class Forbidden(Rejection):
    code = "forbidden"


class NotFound(Rejection):
    code = "not_found"


class Conflict(Rejection):
    code = "conflict"


class IdentityConflict(Conflict):
    pass


class LogUnavailable(Exception):
    """Postgres cannot be reached: nothing is known about the command; the caller may repeat it."""
