"""Outlets as a process of its own, to be killed: `python -m tests.outlet_process DSN LEASE_MS`."""

import asyncio
import random
import sys
from dataclasses import replace
from datetime import timedelta

from ops.database import open_pool
from processors.outlets import Outlets
from producers.eventlog.log import EventLog
from tests.told import QUICK, now


async def _main(dsn: str, lease_ms: int) -> None:
    settings = replace(QUICK, lease=timedelta(milliseconds=lease_ms))
    async with open_pool(dsn, 2) as pool:
        log = EventLog(pool)
        try:
            await Outlets(pool, log, settings, str(random.getrandbits(64)), now, random.Random(7)).run()
        finally:
            await log.close()


if __name__ == "__main__":
    asyncio.run(_main(sys.argv[1], int(sys.argv[2])))
