"""The daemon in the background: found, started once, ended; its systemd unit; its status in words; its Codex."""

import os
import shutil
import signal
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
from oa_client.errors import NoCodex, StoreFailed
from oa_client.worker.installation import install_codex
from oa_client.worker.service import Service, ServiceFailed
from oa_client.worker.status import Status, lines
from oa_client.worker.store import Store
from oa_client.worker.systemd import Unit, unit_text, verify
from oa_client.workers import Worker

REPOSITORY = Path(__file__).parents[2]
NOW = datetime(2026, 11, 22, 21, 30, tzinfo=UTC)

SERVES = """
import sys, time
from pathlib import Path
from oa_client.worker.store import Store
store = Store.open(Path(sys.argv[1]))
print("worker w is running at event 1", flush=True)
while True:
    time.sleep(60)
"""


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    service = Service(tmp_path / "state" / "w.sqlite")
    yield service
    service.stop()


def python(script: str, service: Service) -> list[str]:
    return [sys.executable, "-c", script, str(service.store)]


def test_one_that_was_started_is_found_is_not_started_twice_and_ends(service: Service) -> None:
    assert (service.process_id, service.stop()) == (None, False)
    process, is_ready = service.start(python(SERVES, service), os.environ)
    assert is_ready
    assert service.process_id == process.pid == os.getsid(process.pid)
    with pytest.raises(ServiceFailed, match=f"process {process.pid} serves this worker already"):
        service.start(python(SERVES, service), os.environ)
    with pytest.raises(StoreFailed, match="another daemon"):
        Store.open(service.store)
    assert service.last_lines(1) == ["worker w is running at event 1"]
    assert service.stop()
    assert service.process_id is None
    assert process.wait() == -signal.SIGTERM


def test_one_that_ends_at_once_is_told_with_its_last_words(service: Service) -> None:
    with pytest.raises(ServiceFailed, match="no Codex here"):
        service.start(python("import sys; sys.exit('no Codex here')", service), os.environ)


def test_a_process_number_that_was_left_behind_is_nobody(tmp_path: Path) -> None:
    service = Service(tmp_path / "w.sqlite")
    store = Store.open(service.store)
    assert service.process_id == os.getpid()
    store.close()
    assert service.process_id is None


def test_a_unit_runs_what_was_asked_for_and_keeps_no_token(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "oa_client", "worker", "run", "--cwd", 'a "b" 100% $HOME']
    environment = {"OA_URL": "http://edge", "OA_TOKEN": "secret", "PATH": "/bin:/usr/bin", "SHELL": "/bin/sh"}
    text = unit_text("desktopw:shared", command, tmp_path, tmp_path / "w.log", environment)
    assert f'ExecStart="{sys.executable}" "-m" "oa_client" "worker" "run" "--cwd" "a \\"b\\" 100%% $$HOME"\n' in text
    assert 'Environment="OA_URL=http://edge"\nEnvironment="PATH=/bin:/usr/bin"\n' in text
    assert "secret" not in text
    assert "SHELL" not in text


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd-analyze")
def test_systemd_takes_the_unit_and_a_wrong_one_is_not_left_behind(tmp_path: Path) -> None:
    text = unit_text("desktopw:shared", [sys.executable, "-m", "oa_client"], tmp_path, tmp_path / "w.log", os.environ)
    unit = Unit(tmp_path / "units", "desktopw-shared-0123456789ab")
    unit.write(text)
    assert verify(unit.path) == ""
    with pytest.raises(ServiceFailed, match="would not take"):
        unit.write(text.replace(f'ExecStart="{sys.executable}"', 'ExecStart="/nowhere/oa"'))
    assert not unit.path.exists()


WORKER = {"worker_id": "w", "status": "running", "latest_seq": 40, "adapter": "desktop_bridge"}


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ({"daemon_state": None}, "none was ever heard of"),
        ({"daemon_state": "idle"}, "idle"),
        ({"daemon_state": "asleep", "daemon_seen_at": "2026-11-22T21:20:00Z"}, "asleep: nothing heard for 10 min"),
        ({"daemon_state": "gone", "daemon_seen_at": "2026-11-20T21:20:00Z"}, "gone: nothing heard for 2 d"),
        ({"daemon_state": "off", "daemon_seen_at": "2026-11-22T21:29:00Z"}, "off for 60 s"),
        ({"status": "stopped", "daemon_state": "off"}, "the worker is stopped"),
        (
            {"daemon_state": "working", "busy": {"what": "make test", "since": "2026-11-22T19:30:00Z"}},
            "working on make test for 2 h",
        ),
    ],
)
def test_status_says_what_the_daemon_is_at(told: dict[str, object], said: str) -> None:
    worker = msgspec.convert(WORKER | told, Worker)
    assert f"  daemon     {said}" in lines(Status("w", "http://edge", None, "/log", worker), NOW)


def test_status_says_what_waits_and_what_was_used() -> None:
    told = {
        "consumed_seq": 37,
        "open_approvals": ["a1", "a2"],
        "usage": {"day": "2026-11-22", "day_tokens": 900, "total_tokens": 4200, "turns": 3},
        "limits": {"turn_tokens": 500, "day_tokens": 1000},
    }
    status = Status("w", "http://edge", 123, "/log", msgspec.convert(WORKER | told, Worker))
    assert list(lines(status, NOW)) == [
        "w at http://edge",
        "  process    running as process 123; log /log",
        "  daemon     none was ever heard of",
        "  events     40, 3 of them not yet read by the daemon",
        "  approvals  a1, a2: `oa approve` shows what is asked",
        "  usage      900 of 1000 tokens on 2026-11-22, 4200 in 3 turns; at most 500 a turn",
    ]


def test_the_codex_that_is_installed_is_the_one_that_is_tested(tmp_path: Path) -> None:
    pinned = REPOSITORY / "edge" / "client" / "oa_client" / "worker" / "pinned"
    for name in ("package.json", "package-lock.json"):
        assert (pinned / name).read_bytes() == (REPOSITORY / "ops" / "codex" / name).read_bytes()


def npm(folder: Path, script: str) -> None:
    folder.mkdir()
    (folder / "npm").write_text(f"#!/bin/sh\n{script}\n")
    (folder / "npm").chmod(0o755)


def test_npm_installs_what_the_lock_file_says_without_scripts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    npm(tmp_path / "bin", 'echo "$@" > asked; mkdir -p node_modules/.bin; touch node_modules/.bin/codex')
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    folder = tmp_path / "data" / "codex"
    assert install_codex(folder) == folder / "node_modules" / ".bin" / "codex"
    assert (folder / "asked").read_text() == "ci --ignore-scripts --no-audit --no-fund\n"
    assert (folder / "package-lock.json").exists()


def test_without_npm_or_when_it_fails_there_is_a_message(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    with pytest.raises(NoCodex, match="no npm"):
        install_codex(tmp_path / "codex")
    npm(tmp_path / "bin", "exit 7")
    with pytest.raises(NoCodex, match="status 7"):
        install_codex(tmp_path / "codex")
