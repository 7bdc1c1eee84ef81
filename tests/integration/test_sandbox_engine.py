"""An engine of the test's own: stopped, killed and started again, and one with another runtime."""

import asyncio
import contextlib
import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import docker
import pytest
import pytest_asyncio

from sandbox.api import Limits, Program, Run, Sandbox, SandboxError, Value
from sandbox.build import BASE_REPOSITORY, Base, build_image
from sandbox.docker import LABEL, Engine
from sandbox.opening import open_sandbox
from sandbox.options import BackendChoice, SandboxOptions
from sandbox.owner import Owner
from sandbox.selfcheck import probe_all
from tests.conftest import missing

pytestmark = [pytest.mark.docker, pytest.mark.asyncio(loop_scope="module")]

SEVEN = Program(source="def f(): return 7", calls=("f()",))
SLEEPER = Program(source="import time\ndef f(): time.sleep(60)", calls=("f()",))
LIMITS = Limits(cpu_seconds=20, wall_seconds=90)


class PrivateEngine:
    """A Docker Engine beside the machine's own, without network, in a directory of its own."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._process: subprocess.Popen[bytes] | None = None
        self.host = f"unix://{directory}/engine.sock"

    def start(self) -> None:
        runtimes = {"runsc": {"path": shutil.which("runsc"), "runtimeArgs": ["--network=none"]}}
        configuration = {"runtimes": runtimes if shutil.which("runsc") else {}}
        (self._directory / "daemon.json").write_text(json.dumps(configuration))
        for left in ("pid", "exec/containerd/containerd.pid"):  # by one that was killed
            (self._directory / left).unlink(missing_ok=True)
        command = [
            *("dockerd", "--bridge=none", "--iptables=false", "--host", self.host),
            *(
                "--config-file",
                str(self._directory / "daemon.json"),
                "--pidfile",
                str(self._directory / "pid"),
            ),
            *("--data-root", str(self._directory / "data"), "--exec-root", str(self._directory / "exec")),
        ]
        with (self._directory / "log").open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log)
        deadline = time.monotonic() + 60
        while self._process.poll() is None and time.monotonic() < deadline:
            with contextlib.suppress(SandboxError):
                Engine(self.host, Owner.this_process()).facts()
                return
            time.sleep(0.1)
        raise RuntimeError((self._directory / "log").read_text()[-500:])

    def end(self, by: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(by)
        self._process.wait(60)

    def containers(self) -> list[str]:
        client = docker.DockerClient(base_url=self.host)
        try:
            return [item["Id"] for item in client.api.containers(all=True, filters={"label": LABEL})]
        finally:
            client.close()


@pytest.fixture(scope="module")
def engine(sandbox_image: str) -> Iterator[PrivateEngine]:
    if shutil.which("dockerd") is None or os.geteuid() != 0:
        missing("an engine of the test's own needs dockerd and root")
    with tempfile.TemporaryDirectory(prefix="assay-engine-") as directory:
        engine = PrivateEngine(Path(directory))
        engine.start()
        try:
            _copy_base(engine.host)
            build_image(Engine(engine.host, Owner.this_process()), Base.AUTO, print)
            yield engine
        finally:
            engine.end(signal.SIGTERM)
            _unmount_all(directory)


def _unmount_all(directory: str) -> None:
    """Unmount what an engine leaves mounted: its own directory always, containers' when it was killed."""
    mounts = [line.split()[1] for line in Path("/proc/mounts").read_text().splitlines()]
    for mount in sorted((mount for mount in mounts if mount.startswith(directory)), reverse=True):
        subprocess.run(["umount", mount], check=True)


def _copy_base(host: str) -> None:
    """Copy what the image is built on, if the machine's engine built its own on Debian packages."""
    source, target = docker.from_env(), docker.DockerClient(base_url=host, timeout=120)
    try:
        for image in source.images.list(BASE_REPOSITORY):
            target.images.load(image.save(named=True))
    finally:
        source.close()
        target.close()


@pytest_asyncio.fixture(loop_scope="module")
async def box(engine: PrivateEngine) -> AsyncIterator[Sandbox]:
    box = await open_sandbox(SandboxOptions(slots=2, backend=BackendChoice.DOCKER, docker_host=engine.host))
    yield box
    await box.close()


def values(run: Run) -> list[object]:
    return [result.data for result in run.results if isinstance(result, Value)]


async def run_when_back(box: Sandbox) -> Run:
    async with asyncio.timeout(60):
        while True:
            try:
                return await box.run(SEVEN, LIMITS)
            except SandboxError:
                await asyncio.sleep(0.1)


@pytest.mark.parametrize("by", [signal.SIGTERM, signal.SIGKILL], ids=["stopped", "killed"])
async def test_an_engine_that_is_restarted_costs_failures_and_never_a_verdict(
    engine: PrivateEngine, box: Sandbox, by: signal.Signals
):
    running = [asyncio.create_task(box.run(SLEEPER, LIMITS)) for _ in range(4)]
    await asyncio.sleep(0.5)

    await asyncio.to_thread(engine.end, by)
    outcomes: list[Any] = await asyncio.gather(*running, return_exceptions=True)
    with pytest.raises(SandboxError, match="no Docker Engine answers at"):
        await box.check()
    await asyncio.to_thread(engine.start)
    run = await run_when_back(box)
    await box.check()
    await box.close()

    assert [type(outcome) for outcome in outcomes] == [SandboxError] * 4
    assert values(run) == [7]
    assert engine.containers() == []


async def test_gvisor_withstands_the_self_check_and_nothing_of_it_stays(engine: PrivateEngine):
    if shutil.which("runsc") is None:
        pytest.skip("gVisor's runsc is not installed; it is an option, not a requirement")
    options = SandboxOptions(slots=2, runtime="runsc", docker_host=engine.host)

    box = await open_sandbox(options)
    try:
        name, findings = box.name, await probe_all(box)
    finally:
        await box.close()

    assert name == "docker with runsc"
    assert [finding for finding in findings if finding.problem] == []
    assert engine.containers() == []
