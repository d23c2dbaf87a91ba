"""One KRaft broker, made fast to start: a formatted template that is copied, and an archive of loaded classes."""

import asyncio
import hashlib
import re
import shutil
import subprocess
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from ops.stack import ports
from ops.stack.kafka import jars
from ops.stack.kafka.jars import Tell
from ops.stack.processes import Child, Program, StackError, leashed

PROPERTIES: Final = Path(__file__).with_name("server.properties")
CLUSTER_ID: Final = "b3BlbmFnZW50cy1sb2NhbA"
OLDEST_JAVA: Final = 17
FLAGS: Final = ("-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xlog:cds=off")


@dataclass(frozen=True)
class Java:
    command: str
    version: str

    @property
    def tag(self) -> str:
        return hashlib.sha256(f"{self.command} {self.version}".encode()).hexdigest()[:12]


def java(java_home: str | None) -> Java:
    """The system's Java; `StackError` when there is none, or an older one than Kafka runs on."""
    command = shutil.which("java", path=f"{java_home}/bin") if java_home else shutil.which("java")
    if command is None:
        raise StackError(f"no Java found: install a JDK or JRE ≥ {OLDEST_JAVA}, or set JAVA_HOME to one")
    version = subprocess.run([command, "-version"], capture_output=True, text=True, check=False).stderr
    major = re.search(r'version "(\d+)', version)
    if major is None or int(major[1]) < OLDEST_JAVA:
        raise StackError(f"{command} is too old: install a JDK or JRE ≥ {OLDEST_JAVA}, or set JAVA_HOME to one")
    return Java(command, version)


@dataclass(frozen=True)
class Broker:
    """A broker on loopback whose files are under `home`; `cache` is shared by all brokers of this user."""

    java: Java
    cache: Path
    home: Path
    port: int
    controller_port: int

    @property
    def bootstrap(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def archive(self) -> Path:
        return jars.home(self.cache) / f"classes-{self.java.tag}.jsa"

    @property
    def classpath(self) -> str:
        return ":".join(sorted(map(str, (jars.home(self.cache) / "jars").glob("*.jar"))))

    async def prepare(self, tell: Tell) -> None:
        """Fetch, format and archive what is not there yet, and make this broker's folder."""
        await asyncio.to_thread(jars.ensure, self.cache, tell)
        template = await asyncio.to_thread(self._template, tell)
        if not self.archive.exists():
            await self._make_archive(tell)
        self._make_home(template)

    def _make_home(self, template: Path) -> None:
        self.home.mkdir(parents=True, exist_ok=True)
        self._properties_file.write_text(self._properties(self.home / "data"), encoding="utf-8")
        if not (self.home / "data").exists():
            shutil.copytree(template, self.home / "data.new", dirs_exist_ok=True)
            (self.home / "data.new").rename(self.home / "data")

    @property
    def _properties_file(self) -> Path:
        return self.home / "server.properties"

    def _properties(self, folder: Path) -> str:
        text = PROPERTIES.read_text(encoding="utf-8")
        return text.format(port=self.port, controller_port=self.controller_port, data=folder)

    def _template(self, tell: Tell) -> Path:
        """A formatted, empty data folder; formatting takes Kafka 2 s, copying it no time."""
        template = jars.home(self.cache) / "formatted"
        if template.exists():
            return template
        tell("preparing Apache Kafka (once for this user)")
        with tempfile.TemporaryDirectory(dir=jars.home(self.cache)) as scratch:
            fresh, properties = Path(scratch) / "formatted", Path(scratch) / "server.properties"
            properties.write_text(self._properties(fresh), encoding="utf-8")
            self._format(properties)
            with suppress(FileExistsError, OSError):  # somebody else was as fast
                fresh.rename(template)
        return template

    def _format(self, properties: Path) -> None:
        tool = ["kafka.tools.StorageTool", "format", "-t", CLUSTER_ID, "-c", str(properties)]
        command = [self.java.command, *FLAGS, "-cp", self.classpath, *tool]
        answer = subprocess.run(command, capture_output=True, text=True, check=False)
        if answer.returncode:
            raise StackError(f"Kafka could not format its folder: {answer.stderr.strip() or answer.stdout.strip()}")

    async def _make_archive(self, tell: Tell) -> None:
        """Run a broker once to learn which classes it loads: halves every later start."""
        tell("teaching Java to start Kafka faster (once for this user)")
        with tempfile.TemporaryDirectory(dir=jars.home(self.cache)) as scratch:
            fresh = Path(scratch) / "classes.jsa"
            port, controller_port = ports.free(2)
            trial = Broker(self.java, self.cache, Path(scratch) / "broker", port, controller_port)
            trial._make_home(self._template(tell))
            child = Child(trial._program(f"-XX:ArchiveClassesAtExit={fresh}"), lambda _name, _line: None)
            try:
                await child.until_ready()
            finally:
                await child.stop()
            if fresh.exists():
                fresh.rename(self.archive)

    def program(self) -> Program:
        return self._program(f"-XX:SharedArchiveFile={self.archive}" if self.archive.exists() else "-Xshare:auto")

    def _program(self, sharing: str) -> Program:
        main = ["kafka.Kafka", str(self._properties_file)]
        return Program(
            name="kafka",
            command=leashed([self.java.command, *FLAGS, sharing, "-cp", self.classpath, *main]),
            folder=self.home,
            ready=self.answers,
            stop_within_s=20,
        )

    async def answers(self) -> bool:
        if ports.is_free(self.port):
            return False
        client = AIOKafkaAdminClient(bootstrap_servers=self.bootstrap, request_timeout_ms=5000)
        try:
            await client.start()
            return bool((await client.describe_cluster())["brokers"])
        except (KafkaError, OSError):
            return False
        finally:
            await client.close()
