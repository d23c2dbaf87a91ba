"""Amounts of money: millisats inside, whole sats on the wire, rounded up (DEC-50)."""

from typing import Final

MSATS: Final = 1000
"""In one sat."""
MAX_SATS: Final = 2_100_000_000_000_000
"""More there will never be."""


def msats_of(sats: int) -> int:
    return sats * MSATS


def sats_of(msats: int) -> int:
    return -(-msats // MSATS)
