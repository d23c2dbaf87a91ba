"""`make demo` as somebody new runs it: it shows every step and leaves nothing behind."""

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from tests.codex_scenes import PINNED
from tests.services import until

STEPS = ("desktop/handshake_ack", "ios/user_message", "item/completed", "turn/completed")
"""In this order; a busy Codex may say that an item is complete before it says that its turn has started."""


def processes_in(folder: Path) -> list[str]:
    """Command lines of what was started with this temporary folder."""
    mark = f"TMPDIR={folder}".encode()
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if mark in (entry / "environ").read_bytes().split(b"\0"):
                found.append((entry / "cmdline").read_text().replace("\0", " "))
        except (OSError, UnicodeDecodeError):  # it has ended meanwhile, or is not ours to look at
            continue
    return found


@pytest.mark.skipif(not PINNED.launcher.exists(), reason="no Codex: run `make codex`")
def test_the_demo_shows_every_event_and_leaves_nothing_behind() -> None:
    with tempfile.TemporaryDirectory(prefix="oa-demo-") as folder:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("OA_")}
        demo = subprocess.Popen(
            [sys.executable, "-m", "ops.demo"],
            env=environment | {"TMPDIR": folder},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        until(lambda: demo.poll() is not None or len(processes_in(Path(folder))) > 5, 60)
        printed, _ = demo.communicate(timeout=120)
        assert demo.returncode == 0, printed
        positions = [printed.find(step) for step in STEPS]
        assert -1 not in positions
        assert positions == sorted(positions)
        assert "turn/started" in printed
        assert re.search(r"\d+ events, in order, without a gap; the nonce came back", printed)
        assert processes_in(Path(folder)) == []
        assert list(Path(folder).iterdir()) == []
