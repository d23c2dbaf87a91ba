"""A relay as a process of its own, to be killed and stopped; tells its health in a file."""

import asyncio
import os
import sys
from collections.abc import Callable
from pathlib import Path

import msgspec

from producers.presence import Process
from producers.relay.health import Health
from producers.relay.service import serve
from producers.relay.settings import RelaySettings


async def _main(settings: RelaySettings, told: Path) -> None:
    async def expose(health: Callable[[], Health]) -> None:
        while True:
            fresh = told.with_suffix(f".{os.getpid()}")
            fresh.write_bytes(msgspec.json.encode(health()))
            fresh.replace(told)
            await asyncio.sleep(0.05)

    await serve(settings, expose, Process(told.name, "relay", "here", os.getpid()))


if __name__ == "__main__":
    asyncio.run(_main(msgspec.json.decode(sys.argv[1], type=RelaySettings), Path(sys.argv[2])))
