"""Containers come, go, get lost and are removed; callers notice only what they must."""

import asyncio
import contextlib
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import docker
import pytest
import pytest_asyncio

import sandbox.pool
from sandbox.api import Limits, Program, Run, RunStatus, Sandbox, SandboxError, Value
from sandbox.containers import DockerBackend
from sandbox.docker import LABEL, Engine
from sandbox.opening import open_sandbox
from sandbox.options import BackendChoice, SandboxOptions
from sandbox.owner import Owner
from sandbox.pool import Pool
from sandbox.supply import ContainerSupply

pytestmark = [pytest.mark.docker, pytest.mark.usefixtures("sandbox_image")]

SEVEN = Program(source="def f(): return 7", calls=("f()",))
LIMITS = Limits(cpu_seconds=20, wall_seconds=30)


def busy(seconds: float) -> Program:
    return Program(source=f"import time\ndef f():\n    time.sleep({seconds})\n    return 7", calls=("f()",))


@pytest.fixture
def engine() -> Iterator[Any]:
    client = docker.from_env()
    yield client.api
    client.close()


@pytest_asyncio.fixture
async def one_slot() -> AsyncIterator[Sandbox]:
    sandbox = await open_sandbox(SandboxOptions(slots=1, backend=BackendChoice.DOCKER))
    yield sandbox
    await sandbox.close()


def own_containers(engine: Any, label: str | None = None) -> list[str]:
    label = label or Owner.this_process().label()
    return [item["Id"] for item in engine.containers(all=True, filters={"label": f"{LABEL}={label}"})]


def kill_containers(engine: Any) -> None:
    for container in own_containers(engine):
        with contextlib.suppress(docker.errors.APIError):  # ended in between
            engine.kill(container, signal="KILL")


def values(run: Run) -> list[object]:
    return [result.data for result in run.results if isinstance(result, Value)]


async def until(condition: Any, seconds: float = 20) -> None:
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.05)


async def test_the_kernels_memory_limit_kills_the_program_and_not_the_container(
    one_slot: Sandbox, engine: Any
):
    before = own_containers(engine)
    limits = Limits(cpu_seconds=20, wall_seconds=60, memory_bytes=8 * 2**30)  # beyond the container's own

    run = await one_slot.run(Program(source="x = bytearray(b'1') * (3 * 2**30)", calls=()), limits)

    assert run.status is RunStatus.MEMORY_LIMIT
    assert "kernel" in run.detail
    assert own_containers(engine) == before


async def test_a_container_is_replaced_after_its_share_of_programs(
    engine: Any, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(sandbox.pool, "PROGRAMS_PER_CONTAINER", 3)
    box = await open_sandbox(SandboxOptions(slots=1, backend=BackendChoice.DOCKER))
    before = own_containers(engine)
    try:
        runs = [await box.run(SEVEN, LIMITS) for _ in range(4)]
        after = own_containers(engine)
    finally:
        await box.close()

    assert [values(run) for run in runs] == [[7]] * 4
    assert len(before) == len(after) == 1
    assert before != after


async def test_a_missing_image_is_told_with_what_to_do():
    engine = Engine(None, Owner.this_process())
    pool = Pool(ContainerSupply(DockerBackend(engine, "assay-sandbox:absent", None)), slots=1)
    await pool.open()

    with pytest.raises(SandboxError, match="python -m sandbox build"):
        await pool.check()
    await pool.close()


async def test_without_an_engine_opening_works_and_running_says_why(tmp_path: Path):
    box = await open_sandbox(
        SandboxOptions(slots=2, backend=BackendChoice.DOCKER, docker_host=f"unix://{tmp_path}/no.sock")
    )

    with pytest.raises(SandboxError, match=f"^no Docker Engine answers at unix://{tmp_path}/no.sock"):
        await box.check()
    runs = [asyncio.create_task(box.run(SEVEN, LIMITS)) for _ in range(50)]
    async with asyncio.timeout(5):
        results = await asyncio.gather(*runs, return_exceptions=True)
    await box.close()

    assert {type(result) for result in results} == {SandboxError}


class EngineProxy:
    """Forwards a unix socket to the engine's, until it is stopped."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self.connections = 0

    async def start(self) -> None:
        self._server = await asyncio.start_unix_server(self._serve, self._path)

    async def start_tcp(self) -> str:
        """Listen on loopback instead; returns the address as DOCKER_HOST has it."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        _, port = self._server.sockets[0].getsockname()
        return f"tcp://127.0.0.1:{port}"

    async def stop(self) -> None:
        assert self._server is not None
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._path.unlink(missing_ok=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        self.connections += 1
        upstream, downstream = await asyncio.open_unix_connection("/var/run/docker.sock")
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._pump(reader, downstream))
                group.create_task(self._pump(upstream, writer))
        except (asyncio.CancelledError, ExceptionGroup):
            pass
        finally:
            writer.close()
            downstream.close()

    @staticmethod
    async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
        writer.close()


async def test_an_engine_that_goes_away_is_told_at_once_and_used_again_when_it_is_back(
    tmp_path: Path, engine: Any
):
    proxy = EngineProxy(tmp_path / "engine.sock")
    await proxy.start()
    box = await open_sandbox(
        SandboxOptions(slots=2, backend=BackendChoice.DOCKER, docker_host=f"unix://{tmp_path}/engine.sock")
    )
    running = asyncio.create_task(box.run(busy(30), LIMITS))
    await asyncio.sleep(0.3)

    await proxy.stop()
    async with asyncio.timeout(5):
        with pytest.raises(SandboxError):
            await running
        with pytest.raises(SandboxError):
            await box.run(SEVEN, LIMITS)

    await proxy.start()
    connections = proxy.connections
    deadline = time.monotonic() + 30
    while True:
        try:
            run = await box.run(SEVEN, LIMITS)
            break
        except SandboxError:
            assert time.monotonic() < deadline, "the engine is back, the sandbox is not"
            await asyncio.sleep(0.01)
    await box.close()

    assert values(run) == [7]
    assert proxy.connections - connections < 40  # of hundreds of calls, few tried the engine
    await proxy.stop()
    assert own_containers(engine) == []


async def test_an_engine_is_used_over_tcp_as_well(tmp_path: Path, engine: Any):
    proxy = EngineProxy(tmp_path / "unused")
    host = await proxy.start_tcp()
    box = await open_sandbox(SandboxOptions(slots=1, backend=BackendChoice.DOCKER, docker_host=host))

    run = await box.run(SEVEN, LIMITS)
    endless = asyncio.create_task(box.run(busy(30), LIMITS))
    await asyncio.sleep(0.3)
    endless.cancel()
    await asyncio.gather(endless, return_exceptions=True)
    after = await box.run(SEVEN, LIMITS)
    await box.close()

    assert (values(run), values(after)) == ([7], [7])
    assert proxy.connections > 0
    assert own_containers(engine) == []
    await proxy.stop()


async def test_a_program_is_not_blamed_for_containers_that_were_lost_with_the_engine(
    tmp_path: Path, engine: Any
):
    proxy = EngineProxy(tmp_path / "engine.sock")
    await proxy.start()
    box = await open_sandbox(
        SandboxOptions(slots=1, backend=BackendChoice.DOCKER, docker_host=f"unix://{tmp_path}/engine.sock")
    )
    first = own_containers(engine)
    running = asyncio.create_task(box.run(busy(30), LIMITS))
    await asyncio.sleep(0.3)
    kill_containers(engine)
    await until(lambda: own_containers(engine) not in ([], first))
    await asyncio.sleep(1)

    await proxy.stop()

    async with asyncio.timeout(5):
        with pytest.raises(SandboxError):
            await running
    await proxy.start()
    await box.close()  # removes what could not be removed
    assert own_containers(engine) == []
    await proxy.stop()


OWNER_SCRIPT = """
import asyncio
from sandbox.opening import open_sandbox
from sandbox.options import BackendChoice, SandboxOptions
from sandbox.owner import Owner
async def main():
    box = await open_sandbox(SandboxOptions(slots=1, backend=BackendChoice.DOCKER))
    await box.check()
    print(Owner.this_process().label(), flush=True)
    await asyncio.sleep(60)
asyncio.run(main())
"""


async def test_a_killed_owners_containers_stop_by_themselves_and_are_removed_by_the_next(engine: Any):
    process = subprocess.Popen([sys.executable, "-c", OWNER_SCRIPT], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    with process, process.stdout:
        label = (await asyncio.to_thread(process.stdout.readline)).strip()
        living = await open_sandbox(SandboxOptions(slots=1, backend=BackendChoice.DOCKER))
        (container,) = own_containers(engine, label)  # a living owner's container is left alone

        process.kill()
        process.wait()
        await until(lambda: engine.inspect_container(container)["State"]["Running"] is False)
        following = await open_sandbox(SandboxOptions(slots=1, backend=BackendChoice.DOCKER))

    assert own_containers(engine, label) == []
    await living.close()
    await following.close()


def test_slots_below_one_are_refused():
    with pytest.raises(ValueError, match="at least 1"):
        SandboxOptions(slots=0)


async def test_the_container_is_created_with_every_restriction(one_slot: Sandbox, engine: Any):
    details = [engine.inspect_container(container) for container in own_containers(engine)]

    assert len(details) == 1
    for detail in details:
        host = detail["HostConfig"]
        assert detail["Mounts"] == []
        assert host["NetworkMode"] == "none"
        assert host["IpcMode"] == "none"
        assert host["ReadonlyRootfs"] is True
        assert host["Privileged"] is False
        assert host["CapDrop"] == ["ALL"]
        assert sorted(host["CapAdd"]) == ["KILL", "SETGID", "SETUID"]
        assert host["SecurityOpt"] == ["no-new-privileges"]
        assert host["PidsLimit"] == 8
        assert host["Memory"] == host["MemorySwap"] == 2**30
        assert host["LogConfig"]["Type"] == "none"
