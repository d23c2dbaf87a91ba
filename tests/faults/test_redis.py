"""Redis that was never there, and Redis that is lost: only who counts rate limits changes (DESIGN §8)."""

import random
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from tests.faults import stack
from tests.faults.lane import lane
from tests.faults.stack import Stack

EVENTS_PER_S = 100
LASTS_S = 10
CODES_A_MINUTE = 6


async def attempts(url: str) -> list[int]:
    async with httpx.AsyncClient(base_url=url, headers={"accept": "application/json"}) as http:
        asked = [
            await http.post("/api/auth/email", json={"email": "eve@example.test"}) for _ in range(CODES_A_MINUTE + 2)
        ]
    return [answer.status_code for answer in asked]


async def lose(started: Stack) -> None:
    await started.stop("redis")


async def nothing(_started: Stack) -> None:
    pass


@pytest.mark.slow
@pytest.mark.parametrize("is_there_at_first", [True, False], ids=["lost", "absent"])
async def test_without_redis_everything_goes_on_and_attempts_are_limited(
    is_there_at_first: bool, seed: int, say: Callable[[str], None], tmp_path: Path
) -> None:
    seeded = random.Random(seed)
    async with (
        stack.running(tmp_path, redis=is_there_at_first) as started,
        lane(started.url, started.addresses, seeded) as loaded,
    ):
        await loaded.write_during([(lose if is_there_at_first else nothing)(started)], EVENTS_PER_S, LASTS_S)
        limited = await attempts(started.url)
        differences = await loaded.differences(say)
    assert not differences, "\n".join(differences[:20])
    assert limited[-1] == 429
    assert set(limited) <= {200, 202, 429}
    assert not {"edge", "relay", "processors"} & started.ends.keys()
