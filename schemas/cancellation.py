"""Keeping cancellations: a lost connection can hide one behind the error that its clean-up raises."""

import asyncio


def raise_if_cancelled() -> None:
    """For loops that go on after an error: ends the task that somebody has asked to end."""
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError
