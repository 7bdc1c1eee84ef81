"""Two servers that may be killed, on fixed ports, with programs in an engine that may be killed too."""

import json
import os
import signal
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.chaos.extras import install, set_version
from bench.memory import descendants
from bench.private_engine import PrivateEngine, private_engine
from reward_client.local import LocalServer

# Small enough to be filled on purpose; a batch of the usual callers needs a twentieth of it.
WORKER_BOUND = 64
PROGRAM_BOUND = 64


class Replica:
    """One server on a port of its own, started as often as it takes."""

    def __init__(self, log: Path, flags: tuple[str, ...]) -> None:
        self.log = log
        self.address = f"127.0.0.1:{_free_port()}"
        self._flags = ("--listen", self.address, *flags)
        self._server: LocalServer | None = None

    @property
    def pid(self) -> int:
        assert self._server is not None
        return self._server.pid

    def start(self) -> None:
        self._server = LocalServer(self.log, self._flags).__enter__()

    def kill(self) -> None:
        """Kill it and its workers, as a crash of the machine would."""
        assert self._server is not None
        self._server.kill()
        self.drain()  # lets go of what is left of it

    def drain(self) -> None:
        """End it with SIGTERM, which lets calls in flight finish."""
        if self._server is not None:
            self._server.__exit__(None, None, None)

    def workers(self) -> set[int]:
        """Return the processes that grade, and the one they are forked from."""
        return {pid for pid in descendants({self.pid}) if _command(pid).find("zygote") >= 0}


@dataclass(kw_only=True)
class Lab:
    """Everything that may be broken. Without an `engine`, no programs are sent."""

    replicas: tuple[Replica, Replica]
    site: Path
    engine: PrivateEngine | None = None

    @property
    def addresses(self) -> list[str]:
        return [replica.address for replica in self.replicas]

    def upgrade(self, version: str) -> None:
        """Make the next start of a server one of a newer version."""
        set_version(self.site, version)

    def supervisors(self) -> set[int]:
        """Return what runs programs: the first process of each container of the private engine."""
        return set() if self.engine is None else _first_processes(self.engine)

    def defects(self) -> list[str]:
        """Return what the servers logged as broken promises."""
        lines = [line for each in self.replicas for line in each.log.read_text().splitlines()]
        return [line for line in lines if line.startswith("{") and json.loads(line)["level"] == "error"]


@contextmanager
def lab(directory: Path, *, engine: bool) -> Iterator[Lab]:
    """Start two servers, and an engine for their programs where one is wanted."""
    with ExitStack() as stack:
        private = stack.enter_context(private_engine(_quietly)) if engine else None
        environment = dict(install(directory / "site"))
        if private is not None:
            environment["DOCKER_HOST"] = private.host
            stack.callback(_expect_none_left, private)
        stack.enter_context(_environment(environment))
        flags = (
            *("--queues.worker-bound", str(WORKER_BOUND), "--queues.program-bound", str(PROGRAM_BOUND)),
            *(("--sandbox", "docker") if private is not None else ()),
        )
        replicas = Replica(directory / "one.log", flags), Replica(directory / "two.log", flags)
        for replica in replicas:
            stack.callback(replica.drain)
            replica.start()
        yield Lab(replicas=replicas, site=directory / "site", engine=private)


def kill_all(pids: set[int]) -> None:
    """Kill processes that may be gone already."""
    for pid in pids:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue


@contextmanager
def _environment(changes: dict[str, str]) -> Iterator[None]:
    before = dict(os.environ)
    os.environ.update(changes)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def _first_processes(engine: PrivateEngine) -> set[int]:
    import docker
    import docker.errors

    client = docker.DockerClient(base_url=engine.host)
    found = set[int]()
    try:
        for container in engine.containers():
            try:
                found.add(client.api.inspect_container(container)["State"]["Pid"])
            except docker.errors.NotFound:  # removed in between
                continue
    finally:
        client.close()
    return found - {0}


def _command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return ""


def _expect_none_left(engine: PrivateEngine) -> None:
    left = engine.containers()
    assert not left, f"containers left by servers that have ended: {left}"


def _quietly(_: str) -> None:
    pass


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
