"""The peer of `oa bench runs`: workflows of three durable steps in DBOS; runs in an environment of its own."""

import asyncio
import json
import sys
import time

from dbos import DBOS  # type: ignore[import-not-found]

WORDS = ("hi", "there", "bye")


@DBOS.step()  # type: ignore[untyped-decorator]
async def say(word: str) -> str:
    return word


@DBOS.workflow()  # type: ignore[untyped-decorator]
async def run(number: int) -> int:
    for word in WORDS:
        await say(word)
    return number


async def many(first: int, count: int, in_flight: int) -> list[float]:
    """Seconds that each workflow took."""
    numbers = iter(range(first, first + count))
    took_s: list[float] = []

    async def one_after_another() -> None:
        for number in numbers:
            started = time.perf_counter()
            await run(number)
            took_s.append(time.perf_counter() - started)

    await asyncio.gather(*(one_after_another() for _ in range(in_flight)))
    return took_s


async def main(dsn: str, count: int, in_flight: int) -> None:
    DBOS(config={"name": "bench", "system_database_url": dsn, "log_level": "ERROR", "sys_db_pool_size": in_flight})
    DBOS.launch()
    await many(0, in_flight, in_flight)
    started = time.perf_counter()
    took_s = await many(in_flight, count, in_flight)
    print(json.dumps({"elapsed_s": time.perf_counter() - started, "took_s": took_s}), flush=True)
    DBOS.destroy()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
