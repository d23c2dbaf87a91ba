"""Why something was allowed, denied or failed: the codes of the proto's enum as the wire writes them (runtime §3.2)."""

from typing import Final

from openagents.protocol.v1 import ReasonCode

VERSION: Final = "runtime-policy-reasons.v1"


def _written(name: str) -> str:
    """A family is two words; what is left stands behind the dot."""
    words = name.removeprefix("REASON_CODE_").lower().split("_")
    return "_".join(words[:2]) + "." + "_".join(words[2:])


def text(code: ReasonCode) -> str:
    return _written(ReasonCode.Name(code))


def family(code: str) -> str:
    return code.partition(".")[0]


NUMBERS: Final = {_written(name): number for name, number in ReasonCode.items() if number}
"""Number by code; a code that is not here is legal, and unspecified (DEC-17)."""

ALLOWED: Final = text(ReasonCode.REASON_CODE_POLICY_ALLOWED_DEFAULT)
EXPLICIT_DENY: Final = text(ReasonCode.REASON_CODE_POLICY_DENIED_EXPLICIT_DENY)
AUTHORIZATION_MISSING: Final = text(ReasonCode.REASON_CODE_POLICY_DENIED_AUTHORIZATION_MISSING)
INVALID_AUTHORIZATION_MODE: Final = text(ReasonCode.REASON_CODE_POLICY_DENIED_INVALID_AUTHORIZATION_MODE)
BUDGET_EXHAUSTED: Final = text(ReasonCode.REASON_CODE_POLICY_DENIED_BUDGET_EXHAUSTED)
NO_PROGRESS: Final = text(ReasonCode.REASON_CODE_LOOP_DETECTED_NO_PROGRESS)
PRIVATE_ADDRESS: Final = text(ReasonCode.REASON_CODE_SSRF_BLOCK_PRIVATE_ADDRESS)
INVALID_SCHEMA: Final = text(ReasonCode.REASON_CODE_MANIFEST_VALIDATION_INVALID_SCHEMA)
