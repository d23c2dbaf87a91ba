"""A stack of which one service has a small disk, which is filled and freed: `python -m … SERVICE FOLDER SEED`.

Runs in a mount namespace of its own (`unshare --mount`), so the disk is gone with it.
"""

import asyncio
import errno
import random
import secrets
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from oa_client.client import Client
from oa_client.errors import TRANSIENT, ServerFailed

from ops.stack import health
from ops.stack.local import Ports
from tests.faults import stack
from tests.faults.lane import Lane, lane, until
from tests.faults.stack import Stack

SIZES_MB = {"postgres": 160, "kafka": 48}
EVENTS_PER_S = 100
LASTS_S = 10
HELD_S = 5.0
_PROBE = "desktopw:probe"
_PROBE_BYTES = 200_000


class Disk:
    """A tmpfs of so many megabytes at `place`."""

    def __init__(self, place: Path, megabytes: int) -> None:
        place.mkdir(parents=True, mode=0o700)
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=700", "none", str(place)], check=True)
        self._filler = place / "filler"

    def fill(self) -> None:
        """To the last byte."""
        piece = b"\0" * 65536
        with self._filler.open("wb", buffering=0) as file:
            try:
                while file.write(piece):
                    pass
            except OSError as error:
                if error.errno != errno.ENOSPC:
                    raise

    def free(self) -> None:
        self._filler.unlink()


async def fill_postgres(started: Stack, loaded: Lane, disk: Disk) -> None:
    """Commands are refused with the contract's error by an edge that goes on, until there is space (edge §2.6)."""
    client = loaded.ada.client
    await client.create_worker(_PROBE, adapter="desktop_bridge")
    disk.fill()
    refusal = await _refused(client)
    print(f"refused with {refusal.status} {refusal.code}", flush=True)
    assert (refusal.status, refusal.code) == (502, "runtime_codex_failed")
    await asyncio.sleep(HELD_S)
    disk.free()

    async def accepted() -> bool:
        return await _is_accepted(client)

    await until(accepted)
    assert not started.ends["edge"]


async def _refused(client: Client) -> ServerFailed:
    async with asyncio.timeout(60):
        while True:
            try:
                await client.post_event(_PROBE, "worker.event", {"text": secrets.token_hex(_PROBE_BYTES // 2)})
            except ServerFailed as refusal:
                return refusal


async def _is_accepted(client: Client) -> bool:
    try:
        await client.post_event(_PROBE, "worker.event", {})
    except TRANSIENT:
        return False
    return True


async def fill_kafka(started: Stack, loaded: Lane, disk: Disk) -> None:
    """Commands are accepted as ever; the relay says that it is stuck, until there is space again."""
    relay_port = Ports(started.settings.port).ours()["relay"]
    client = loaded.ada.client
    await client.create_worker(_PROBE, adapter="desktop_bridge")
    disk.fill()

    async def is_stuck() -> bool:
        await client.post_event(_PROBE, "worker.event", {"text": secrets.token_hex(_PROBE_BYTES // 2)})
        told = await health.ask(relay_port)
        return not told.ready and bool(told.lag_positions)

    async def goes_on() -> bool:
        return (await health.ask(relay_port)).ready

    await until(is_stuck)
    print("the relay is stuck", flush=True)
    disk.free()
    await until(goes_on)
    assert not started.ends["edge"]


FAULTS = {"postgres": fill_postgres, "kafka": fill_kafka}


async def run(service: str, folder: Path, seed: int) -> list[str]:
    disk = Disk(folder / "oa" / service, SIZES_MB[service])
    seeded = random.Random(seed)
    say: Callable[[str], None] = print
    async with stack.running(folder) as started, lane(started.url, started.addresses, seeded) as loaded:
        await loaded.write_during([FAULTS[service](started, loaded, disk)], EVENTS_PER_S, LASTS_S)
        differences = await loaded.differences(say)
        say(f"ended: {dict(started.ends)}")
    return differences


if __name__ == "__main__":
    found = asyncio.run(run(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])))
    sys.exit("\n".join(found[:20]) or 0)
