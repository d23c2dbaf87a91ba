"""Debian's Chromium for the browser lane: the one on the path, else its packages unpacked into the user's cache."""

import os
import shutil
from collections.abc import Mapping
from typing import NamedTuple

from tests import debian


class Chromium(NamedTuple):
    program: str
    environment: Mapping[str, str]


def chromium() -> Chromium:
    """Raises debian.Missing."""
    if found := shutil.which("chromium"):
        return Chromium(found, dict(os.environ))
    raise debian.Missing("no chromium on the path")
