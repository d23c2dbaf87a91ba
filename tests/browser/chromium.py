"""Debian's Chromium for the browser lane; `make chromium` fetches it where there is none."""

import os
import shutil
from collections.abc import Mapping
from typing import NamedTuple

from tests import debian


class Chromium(NamedTuple):
    program: str
    environment: Mapping[str, str]


def chromium() -> Chromium:
    """The one on the path, else the package's. Raises debian.Missing."""
    if found := shutil.which("chromium"):
        return Chromium(found, dict(os.environ))
    folder = debian.unpacked("chromium")
    return Chromium(str(folder / "usr" / "lib" / "chromium" / "chromium"), debian.environment(folder))


if __name__ == "__main__":
    try:
        chromium()
    except debian.Missing as missing:
        print(f"{missing}; the browser lane will be left out")
