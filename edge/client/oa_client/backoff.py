"""How long to wait between attempts."""

from collections.abc import Iterator


def delays_s(first_s: float = 0.2, ceiling_s: float = 5.0) -> Iterator[float]:
    """Endless: doubles from `first_s` up to `ceiling_s`."""
    delay_s = first_s
    while True:
        yield delay_s
        delay_s = min(delay_s * 2, ceiling_s)
