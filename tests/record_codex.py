"""Records what both versions of Codex say and what is mirrored of it: `python -m tests.record_codex` (after `make codex
codex-newest`). The difference to what was recorded before is what changed; read it before it is committed."""

import asyncio
from pathlib import Path

from oa_client.worker.mirror import mirrored

from ops.stub_model.app import build
from tests.codex_scenes import SCENES, VERSIONS, Version, play, write
from tests.fake_edge import serving_app
from tests.services import free_port, temporary_folder

OCCURRED_AT = "2026-02-25T12:00:00.000000Z"


async def record(version: Version, stub_url: str, folder: Path) -> None:
    for name, scene in SCENES.items():
        messages = await play(scene, version, stub_url, folder / name)
        write(version.recorded / f"{name}.jsonl", messages)
        events = [event for message in messages if (event := mirrored(message, OCCURRED_AT))]
        write(version.recorded / f"{name}.events.jsonl", events)


async def main() -> None:
    with temporary_folder() as folder:
        async with serving_app(build(), free_port()) as stub:
            for version in VERSIONS:
                await record(version, f"{stub}/v1", folder / version.number)


if __name__ == "__main__":
    asyncio.run(main())
