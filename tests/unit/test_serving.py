"""How the stack starts our processes: one module each, and what is wrong told in one line."""

import subprocess
import sys

import pytest


@pytest.mark.parametrize("process", ["edge", "relay", "processors"])
def test_a_process_loads_nothing_that_only_commands_need(process: str) -> None:
    """Each of them is in memory as long as the stack is."""
    loads = f"import ops.serving.{process}, ops.serving.running, sys; assert 'typer' not in sys.modules"
    assert subprocess.run([sys.executable, "-c", loads], check=False).returncode == 0


def test_a_setting_that_is_missing_is_told_in_a_line() -> None:
    answer = subprocess.run(
        [sys.executable, "-m", "ops.serving", "relay"], env={}, capture_output=True, text=True, check=False
    )
    assert answer.returncode == 1
    assert answer.stderr.startswith("oa: OA_")
    assert answer.stderr.count("\n") == 1
