"""`oa worker`, which ends as if killed at its n-th durable write: `python -m tests.dying_daemon N WHEN worker OPTION…`.

WHEN is `before` (nothing of that write is kept) or `after` (all of it is).
"""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

from oa_client.cli import main
from oa_client.worker.store import Store

DIED = 77

Durably = Callable[[Store], AbstractContextManager[None]]


def dying(durably: Durably, at: int, when: str) -> Durably:
    count = 0

    @contextmanager
    def counted(store: Store) -> Iterator[None]:
        nonlocal count
        count += 1
        with durably(store):
            yield
            if (count, when) == (at, "before"):
                os._exit(DIED)
        if (count, when) == (at, "after"):
            os._exit(DIED)

    return counted


if __name__ == "__main__":
    at, when = int(sys.argv.pop(1)), sys.argv.pop(1)
    Store.durably = dying(Store.durably, at, when)  # type: ignore[method-assign, assignment]
    main()
