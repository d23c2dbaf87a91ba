"""Faults of every kind one after the other under load: what was acknowledged is everywhere (I1–I5, I8)."""

import random
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults import actions, stack
from tests.faults.lane import lane

EVENTS_PER_S = 100
LENGTH = 40


@pytest.mark.slow
@pytest.mark.timeout(600)
async def test_a_story_of_faults_loses_and_repeats_nothing(
    seed: int, say: Callable[[str], None], tmp_path: Path
) -> None:
    seeded = random.Random(seed)
    told = [*actions.story(seeded, LENGTH)]
    say(", ".join(action.name for action in told))
    async with stack.running(tmp_path) as started, lane(started.url, started.addresses, seeded) as loaded:
        await loaded.write_during([actions.play(started, told, seeded)], EVENTS_PER_S, 60)
        differences = await loaded.differences(say)
        say(f"ended: {dict(started.ends)}")
    assert not differences, "\n".join(differences[:20])


def test_a_story_never_acts_on_what_is_not_there() -> None:
    seen: Counter[str] = Counter()
    for seed in range(200):
        there = actions.THERE
        for action in actions.story(random.Random(seed), LENGTH):
            assert action.needs <= there
            there = action.after(there)
            seen[action.name] += 1
        assert actions.THERE - {"redis"} <= there
    assert seen.keys() == {action.name for action in actions.ACTIONS}
