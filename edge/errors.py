"""Why a request was refused before a command was made of it.

Refused                 answered in the shape of the path it came by: public (edge §1.1) or signed (runtime §2.1)
├── Invalid             a field rule, or a body that cannot be read
├── BodyTooLarge        more bytes than the route takes
├── NotAcceptable       the signed API answers JSON only
├── Unauthenticated     nobody, or not whom the token says
├── Denied              somebody, but not for this
├── TooManyAttempts     over a rate limit
├── NotInRegistry       what the registry API answers instead of a schema
├── DatabaseLost        accounts or nonces cannot be read
└── Draining            this node ends before the answer is there; another one gives it
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple


class Issue(NamedTuple):
    """One broken rule: dotted path of the field (edge §1.1) and a sentence."""

    path: str
    text: str


class Refused(Exception):
    """`code` is the one of the signed API (runtime §2.1)."""

    status = 400
    code = "invalid_request"

    def __init__(self, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.headers = dict(headers or {})


class Invalid(Refused):
    status = 422

    def __init__(self, issues: Sequence[Issue]) -> None:
        super().__init__(issues[0].text)
        self.issues = list(issues)


class BodyTooLarge(Refused):
    status = 413

    def __init__(self, limit: int) -> None:
        super().__init__(f"The body is larger than {limit} bytes.")


class NotAcceptable(Refused):
    status = 406


class Unauthenticated(Refused):
    status = 401
    code = "unauthorized"

    def __init__(self, message: str = "Unauthenticated.") -> None:
        super().__init__(message)


class Denied(Refused):
    status = 403
    code = "forbidden"


class TooManyAttempts(Refused):
    status = 429

    def __init__(self, headers: Mapping[str, str]) -> None:
        super().__init__("Too Many Attempts.", headers)


class NotInRegistry(Refused):
    """`error_code` is the Confluent registry's: the status, and two digits that say more."""

    def __init__(self, error_code: int, message: str) -> None:
        super().__init__(message)
        self.error_code = error_code


class DatabaseLost(Refused):
    status = 503
    code = "internal_error"


class Draining(Refused):
    status = 503
    code = "internal_error"

    def __init__(self) -> None:
        super().__init__("This node is going away; repeat the request with the same id.", {"retry-after": "1"})
