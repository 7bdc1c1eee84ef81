"""A Docker Engine of one's own, beside the machine's: it may be killed, and it knows gVisor."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import docker

from sandbox.api import SandboxError
from sandbox.build import BASE_REPOSITORY, Base, build_image
from sandbox.docker import LABEL, Engine
from sandbox.owner import Owner


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


def why_not() -> str:
    """Say why this host cannot have one, "" when it can."""
    if shutil.which("dockerd") is None or os.geteuid() != 0:
        return "an engine of one's own needs dockerd and root"
    return ""


@contextlib.contextmanager
def private_engine(say: Callable[[str], None] = print) -> Iterator[PrivateEngine]:
    """Start one that holds the sandbox image; `say` is told how that is built."""
    with tempfile.TemporaryDirectory(prefix="assay-engine-") as directory:
        engine = PrivateEngine(Path(directory))
        engine.start()
        try:
            _copy_base(engine.host)
            build_image(Engine(engine.host, Owner.this_process()), Base.AUTO, say)
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
            target.images.load(b"".join(image.save(named=True)))
    finally:
        source.close()
        target.close()
