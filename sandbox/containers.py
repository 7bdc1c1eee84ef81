"""Containers on a Docker Engine: started with every restriction, attached to, removed.

Every method blocks: call them in threads. A container lives for thousands of programs, so
none of this is on the path of one program; programs travel over the attached socket
(`sandbox.worker`).
"""

import contextlib
import secrets
import socket
from collections.abc import Iterable
from typing import Any

import docker.types

from sandbox.api import SandboxError
from sandbox.docker import Engine, remove, translated
from sandbox.streams import AttachedStreams
from sandbox.uids import random_uid

CONTAINER_BYTES = 1024 * 1024 * 1024


class DockerBackend:
    """Containers of one image on one engine. Implements `sandbox.supply.Backend`."""

    def __init__(self, engine: Engine, image: str, runtime: str | None, hash_seed: int = 0) -> None:
        self._engine = engine
        self._image = image
        self._runtime = runtime
        self._hash_seed = hash_seed

    def start(self) -> "DockerContainer":
        """Start a container; SandboxError when engine, image or runtime are missing."""
        known = self._engine.facts().runtimes if self._runtime else ()
        if self._runtime and self._runtime not in known:
            raise SandboxError(
                f"the engine has no runtime {self._runtime!r}, only {', '.join(known)}:"
                " add it to `runtimes` in the engine's daemon.json, or choose one of these"
            )
        container = DockerContainer(
            self._engine.connect(), self._engine.host, name=f"assay-sandbox-{secrets.token_hex(8)}"
        )
        try:
            with translated("start a sandbox container", self._engine.host):
                container.start(self._image, self._runtime, self._hash_seed, self._engine.labels())
        except SandboxError:
            with contextlib.suppress(SandboxError):  # the first error is the one to tell
                container.remove()
            raise
        return container

    def reap(self, lost: Iterable[str]) -> int:
        """Remove leftovers; returns how many."""
        return self._engine.reap(lost)


class DockerContainer:
    """One hardened container, attached. Owns its client, whose connection the socket is."""

    def __init__(self, client: Any, host: str, name: str) -> None:
        self._client = client
        self._host = host
        self._attached: Any = None
        self._streams = AttachedStreams()
        self.name = name

    def start(self, image: str, runtime: str | None, hash_seed: int, labels: dict[str, str]) -> None:
        """Create it with every restriction, attach, and let it run; raises what the SDK raises."""
        created = self._client.containers.create(
            image,
            [str(random_uid())],
            name=self.name,
            labels=labels,
            runtime=runtime,
            environment={"PYTHONHASHSEED": str(hash_seed)},
            stdin_open=True,
            stop_signal="SIGKILL",  # nothing in it is worth waiting for when the engine stops
            hostname="sandbox",
            network_mode="none",
            ipc_mode="none",
            read_only=True,
            user="0:0",
            cap_drop=["ALL"],
            cap_add=["SETUID", "SETGID", "KILL"],
            security_opt=["no-new-privileges"],
            # A runtime with a kernel of its own (gVisor) keeps that kernel's threads in the same group.
            pids_limit=8 if runtime is None else 1024,
            mem_limit=CONTAINER_BYTES,
            memswap_limit=CONTAINER_BYTES,
            oom_score_adj=500,
            ulimits=[docker.types.Ulimit(name="core", soft=0, hard=0)],
            log_config=docker.types.LogConfig(type="none"),
        )
        streams = {"stdin": 1, "stdout": 1, "stderr": 1, "stream": 1}
        self._attached = created.attach_socket(params=streams)  # before the start, so that no byte is missed
        created.start()

    def socket(self) -> socket.socket:
        """Return a socket of the caller's own, connected to stdin, stdout and stderr."""
        connection = self._connection()
        if type(connection) is not socket.socket:
            raise SandboxError("the engine must be reached over a unix socket or plain TCP")
        return connection.dup()

    def unframe(self, data: bytes) -> bytes:
        """Take off Docker's framing."""
        return self._streams.unframe(data)

    def last_words(self) -> str:
        """Return the end of what the supervisor wrote on standard error."""
        return self._streams.last_words()

    def _connection(self) -> Any:
        """Return the socket inside what the SDK hands out; closing the latter leaves it open."""
        return getattr(self._attached, "_sock", self._attached)

    def remove(self) -> None:
        """Kill and remove the container; it is no error when it has gone already."""
        try:
            with translated(f"remove container {self.name}", self._host):
                remove(self._client, self.name)
        finally:
            if self._attached is not None:
                connection = self._connection()
                self._attached.close()
                connection.close()
            self._client.close()
