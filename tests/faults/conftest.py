"""What every fault test has: a seed that can be given again, and a terminal to tell it to."""

import os
import random
from collections.abc import Callable

import pytest


@pytest.fixture
def say(capsys: pytest.CaptureFixture[str]) -> Callable[[str], None]:
    """Tells the terminal at once, also in a run that succeeds or is killed."""

    def said(line: str) -> None:
        with capsys.disabled():
            print(f"\n{line}", flush=True)

    return said


@pytest.fixture
def seed(say: Callable[[str], None], request: pytest.FixtureRequest) -> int:
    """`OA_FAULT_SEED`, else a new one."""
    chosen = int(os.environ.get("OA_FAULT_SEED") or random.SystemRandom().randrange(10**9))
    say(f"{request.node.name}: SEED={chosen}")
    return chosen
