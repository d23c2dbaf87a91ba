"""One KRaft broker, made fast to start: a formatted template that is copied, and an archive of loaded classes."""

import asyncio
import shutil
import subprocess
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from ops.stack import ports
from ops.stack.kafka import jars, jre
from ops.stack.kafka.jars import Tell
from ops.stack.kafka.jre import Java
from ops.stack.once import made_beside
from ops.stack.processes import Child, Program, StackError, leashed

PROPERTIES: Final = Path(__file__).with_name("server.properties")
CLUSTER_ID: Final = "b3BlbmFnZW50cy1sb2NhbA"
SMALL: Final = ("-Xms64m", "-Xmx256m", "-Xmn8m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")
ONE_ARENA: Final = {"MALLOC_ARENA_MAX": "1"}
"""What Java takes outside its heap comes from one place of glibc's instead of one a thread: 15 MB less."""
AHEAD_OF_TIME: Final = 25
"""From this Java on an archive keeps linked classes and what was learnt of them."""
QUIET: Final = ("-Xlog:cds=off",)
QUIET_AHEAD_OF_TIME: Final = ("-Xlog:aot*=off", "--sun-misc-unsafe-memory-access=allow")
TRIAL_STOPS_WITHIN_S: Final = 120
"""What it learnt is written at its end."""


@dataclass(frozen=True)
class Broker:
    """A broker on loopback whose files are under `home`; `cache` is shared by all brokers of this user.

    Without a `java` of the system's it runs on one of our own.
    """

    java: Java | None
    cache: Path
    home: Path
    port: int
    controller_port: int

    @property
    def bootstrap(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def archive(self) -> Path:
        return jars.home(self.cache) / f"classes-{self._java.tag}.jsa"

    @property
    def _java(self) -> Java:
        return self.java or jre.own(self.cache)

    @property
    def _is_ahead_of_time(self) -> bool:
        return self._java.major >= AHEAD_OF_TIME

    @property
    def _run_java(self) -> list[str]:
        return [self._java.command, *SMALL, *(QUIET_AHEAD_OF_TIME if self._is_ahead_of_time else QUIET)]

    @property
    def classpath(self) -> str:
        return ":".join(sorted(map(str, (jars.home(self.cache) / "jars").glob("*.jar"))))

    async def prepare(self, tell: Tell) -> None:
        """Fetch, format and archive what is not there yet, and make this broker's folder."""
        if self.java is None:
            await asyncio.to_thread(jre.ensure, self.cache, tell)
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
        with made_beside(template) as fresh, tempfile.NamedTemporaryFile("w", encoding="utf-8") as properties:
            properties.write(self._properties(fresh))
            properties.flush()
            self._format(properties.name)
        return template

    def _format(self, properties: str) -> None:
        tool = ["kafka.tools.StorageTool", "format", "-t", CLUSTER_ID, "-c", properties]
        command = [*self._run_java, "-cp", self.classpath, *tool]
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
            program = replace(trial._program(trial._recording(fresh)), stop_within_s=TRIAL_STOPS_WITHIN_S)
            child = Child(program, lambda _name, _line: None)
            try:
                await child.until_ready()
            finally:
                await child.stop()
            if fresh.exists():
                fresh.rename(self.archive)

    def _recording(self, archive: Path) -> str:
        option = "AOTCacheOutput" if self._is_ahead_of_time else "ArchiveClassesAtExit"
        return f"-XX:{option}={archive}"

    def program(self) -> Program:
        option = "AOTCache" if self._is_ahead_of_time else "SharedArchiveFile"
        return self._program(f"-XX:{option}={self.archive}" if self.archive.exists() else "-Xshare:auto")

    def _program(self, sharing: str) -> Program:
        main = ["kafka.Kafka", str(self._properties_file)]
        return Program(
            name="kafka",
            command=leashed([*self._run_java, sharing, "-cp", self.classpath, *main]),
            environment=ONE_ARENA,
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
