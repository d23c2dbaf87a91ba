"""Counting attempts: window, limits that share a counter, and a lost shared counter (edge §1.7)."""

from redis.exceptions import ConnectionError as RedisLost

from edge.auth.rate_limits import Hit, MemoryCounter, SpareCounter


class Monotonic:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


class LostCounter:
    asked = 0

    async def hit(self, key: str, limit: int) -> Hit:
        self.asked += 1
        raise RedisLost("gone")


async def test_attempts_beyond_the_limit_are_not_counted() -> None:
    counter = MemoryCounter(Monotonic())
    counts = [(await counter.hit("a", 2)).count for _ in range(5)]
    assert counts == [1, 2, 2, 2, 2]


async def test_limits_that_share_a_counter_block_each_other_at_their_own_height() -> None:
    counter = MemoryCounter(Monotonic())
    for _ in range(6):
        await counter.hit("a", 10)
    assert not (await counter.hit("a", 6)).allowed
    assert (await counter.hit("a", 10)).count == 7
    assert (await counter.hit("b", 6)).allowed


async def test_the_window_starts_with_its_first_attempt() -> None:
    monotonic = Monotonic()
    counter = MemoryCounter(monotonic)
    await counter.hit("a", 1)
    monotonic.now += 59.5
    assert await counter.hit("a", 1) == Hit(allowed=False, count=1, resets_in_s=1)
    monotonic.now += 0.5
    assert await counter.hit("a", 1) == Hit(allowed=True, count=1, resets_in_s=60)


async def test_while_the_shared_counter_is_lost_the_own_one_counts() -> None:
    monotonic, shared = Monotonic(), LostCounter()
    counter = SpareCounter(shared, MemoryCounter(monotonic), monotonic)
    assert [(await counter.hit("a", 2)).allowed for _ in range(3)] == [True, True, False]
    assert shared.asked == 1
    monotonic.now += SpareCounter.RETRY_AFTER_S
    await counter.hit("a", 2)
    assert shared.asked == 2
