"""Timestamps as the wire writes them."""

from datetime import UTC, datetime
from functools import lru_cache


@lru_cache(maxsize=256)
def iso6(moment: datetime) -> str:
    """ISO-8601 UTC with six fractional digits and `Z` (runtime §0.3, sync §14, edge §1.3).

    What was committed together has one moment, and each of its events is written several times.
    """
    return moment.astimezone(UTC).isoformat(timespec="microseconds").removesuffix("+00:00") + "Z"


def iso6_or_none(moment: datetime | None) -> str | None:
    return None if moment is None else iso6(moment)


def iso0(moment: datetime) -> str:
    """ISO-8601 UTC with whole seconds and `Z`, as runs tell them (runtime §0.3)."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def iso_offset(moment: datetime) -> str:
    """Second precision with a numeric offset (`iso-off`, edge §1.3)."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S+00:00")


def parse(text: str) -> datetime:
    """The inverse of `iso6`; also takes any ISO-8601 form with an offset."""
    return datetime.fromisoformat(text)
