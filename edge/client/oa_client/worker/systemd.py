"""The daemon as a systemd user unit."""

import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from oa_client.worker.service import ServiceFailed

_UNIT = """\
[Unit]
Description=oa worker {worker_id}

[Service]
ExecStart={command}
WorkingDirectory={cwd}
{environment}
StandardOutput=append:{log}
StandardError=append:{log}
Restart=on-failure
RestartSec=5
KillMode=mixed
TimeoutStopSec=20

[Install]
WantedBy=default.target
"""

_HANDED_ON = ("PATH", "CODEX_HOME", "XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_DATA_HOME")


@dataclass(frozen=True)
class Unit:
    """A file in the user's folder of units; systemd starts it at every login, and again when it fails."""

    folder: Path
    name: str

    @property
    def path(self) -> Path:
        return self.folder / f"oa-worker-{self.name}.service"

    def write(self, text: str) -> None:
        """Raises ServiceFailed with what `systemd-analyze` objects to, where there is one."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self.path.write_text(text, encoding="utf-8")
        if objections := verify(self.path):
            self.path.unlink()
            raise ServiceFailed(f"systemd would not take this unit:\n{objections}")

    def enable(self) -> None:
        """Starts it now and at every login. Raises ServiceFailed when systemd is not there for this user."""
        _systemctl("daemon-reload")
        _systemctl("enable", "--now", self.path.name)

    def disable(self) -> None:
        """Ends it, now and for good."""
        _systemctl("disable", "--now", self.path.name)
        self.path.unlink()


def unit_text(worker_id: str, command: Sequence[str], cwd: Path, log: Path, environment: Mapping[str, str]) -> str:
    """`environment` is the caller's; what the daemon looks at goes in, but no token."""
    visible = {
        name: value
        for name, value in sorted(environment.items())
        if name in _HANDED_ON or (name.startswith("OA_") and name != "OA_TOKEN")
    }
    return _UNIT.format(
        worker_id=_specified(worker_id),
        command=" ".join(_quoted(part).replace("$", "$$") for part in command),
        cwd=_specified(str(cwd)),
        log=_specified(str(log)),
        environment="\n".join(f"Environment={_quoted(f'{name}={value}')}" for name, value in visible.items()),
    )


def verify(unit: Path) -> str:
    """What `systemd-analyze` objects to; nothing when it is absent."""
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        return ""
    command = [analyze, "--recursive-errors=no", "verify", str(unit)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
    return ended.stderr.strip() if ended.returncode else ""


def _systemctl(*arguments: str) -> None:
    systemctl = shutil.which("systemctl")
    if systemctl is None:
        raise ServiceFailed("there is no systemd here: `oa worker start` without --systemd needs none")
    command = [systemctl, "--user", *arguments]
    ended = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    if ended.returncode:
        raise ServiceFailed(f"systemctl --user {arguments[0]}: {ended.stderr.strip() or ended.stdout.strip()}")


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{_specified(escaped)}"'


def _specified(text: str) -> str:
    return text.replace("%", "%%")
