"""One prompt for a script in the local stack, as README's first screen has it."""

import os
import subprocess
import sys

import pytest

from tests.codex_scenes import PINNED
from tests.local_stack import Operator


@pytest.mark.skipif(not PINNED.launcher.exists(), reason=f"no Codex: run `make {PINNED.target}`")
def test_a_prompt_needs_no_options_where_a_local_stack_runs(stack: Operator) -> None:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("OA_")}
    ended = subprocess.run(
        [sys.executable, "-m", "oa_client", "worker", "--once", "run: echo from-readme"],
        env=kept | {"OA_DATA_DIR": str(stack.data), "CODEX_HOME": str(stack.data / "no-account")},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    said = ended.stdout.splitlines()  # what a login shell here says by itself may stand between
    assert (ended.returncode, said[0], said[-1]) == (0, "The command printed:", "from-readme"), ended.stderr
