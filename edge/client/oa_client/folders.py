"""Where the user's programs keep what is theirs (XDG)."""

from collections.abc import Mapping
from pathlib import Path

import typer


def login_file() -> Path:
    return Path(typer.get_app_dir("oa")) / "login.json"


def state_folder(environment: Mapping[str, str]) -> Path:
    """What the daemon must not forget, and its log."""
    return Path(environment.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "oa"


def data_folder(environment: Mapping[str, str]) -> Path:
    """What was installed for the user."""
    return Path(environment.get("XDG_DATA_HOME") or Path.home() / ".local" / "share") / "oa"


def units_folder(environment: Mapping[str, str]) -> Path:
    """The user's own systemd units."""
    return Path(environment.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "systemd" / "user"
