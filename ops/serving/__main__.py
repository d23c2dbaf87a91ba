"""`python -m ops.serving relay`: how the stack starts our processes, with nothing loaded that only commands need."""

import sys

from ops.serving.running import Process, run
from ops.settings import SettingsError, of_this_process

if __name__ == "__main__":
    try:
        run(Process(sys.argv[1]), of_this_process())
    except SettingsError as error:
        sys.exit(f"oa: {error}")
