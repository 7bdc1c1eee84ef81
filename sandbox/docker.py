"""The Docker Engine: images and containers. The only file that imports the Docker SDK.

Every method blocks: call them in threads. A container lives for thousands of
programs, so none of this is on the path of one program; programs travel over the
attached socket (`sandbox.worker`).

Containers carry labels that say who owns them. An owner that dies takes its
containers with it: its socket closes, the supervisor's stdin ends, the supervisor
exits. What is left to do is removal, by whichever owner opens the engine next.
"""

import contextlib
import os
import secrets
import socket
import time
from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import docker
import docker.errors
import docker.types
import requests.exceptions

from sandbox.api import SandboxError
from sandbox.owner import Owner
from sandbox.streams import AttachedStreams
from sandbox.uids import random_uid

# No type stubs: what the SDK returns is `Any`, and stays in this file.

LABEL = "dev.assay.sandbox.owner"
DEFAULT_HOST = "unix:///var/run/docker.sock"
CALL_SECONDS = 30.0
CONTAINER_BYTES = 1024 * 1024 * 1024
LEFTOVER_SECONDS = 60.0


@dataclass(frozen=True, kw_only=True, slots=True)
class EngineFacts:
    """What an engine says of itself, as far as the sandbox depends on it."""

    version: str
    runtimes: tuple[str, ...]
    os_type: str
    limits: tuple[str, ...]  # of "memory", "swap", "pids": those the engine can enforce
    remaps_users: bool  # rootless or userns-remap: containers have 65,536 uids, ours lie above


@contextlib.contextmanager
def _translated(action: str, host: str) -> Generator[None]:
    """Turn what goes wrong with the engine at `host` into SandboxError."""
    _knock(host)
    try:
        yield
    except docker.errors.ImageNotFound as error:
        raise SandboxError(f"cannot {action}: no such image; run `python -m sandbox build`") from error
    except (docker.errors.DockerException, requests.exceptions.RequestException, OSError) as error:
        raise SandboxError(f"cannot {action} with the Docker Engine at {host}: {error}") from error


def _knock(host: str) -> None:
    """Connect and hang up: the SDK leaks the socket of a connection that is refused."""
    if not host.startswith("unix://"):
        return
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(CALL_SECONDS)
            connection.connect(host.removeprefix("unix://"))
    except OSError as error:
        raise _no_engine(host, error.strerror or str(error)) from error


def _no_engine(host: str, reason: str) -> SandboxError:
    return SandboxError(f"no Docker Engine answers at {host}: {reason} (start it, or set DOCKER_HOST)")


class Engine:
    """One Docker Engine, at `host` or where DOCKER_HOST says."""

    def __init__(self, host: str | None, owner: Owner) -> None:
        self._given_host = host
        self._host = host or os.environ.get("DOCKER_HOST") or DEFAULT_HOST
        self._owner = owner

    def facts(self) -> EngineFacts:
        """Ask the engine what it is and can do."""
        with self._client("reach the Docker Engine") as client:
            info = client.info()
            limits = {"memory": "MemoryLimit", "swap": "SwapLimit", "pids": "PidsLimit"}
            return EngineFacts(
                version=str(info["ServerVersion"]),
                runtimes=tuple(sorted(info.get("Runtimes", ()))),
                os_type=str(info["OSType"]),
                limits=tuple(name for name, key in limits.items() if info.get(key)),
                remaps_users=any(
                    "rootless" in option or "userns" in option for option in info.get("SecurityOptions", ())
                ),
            )

    def has_image(self, tag: str) -> bool:
        """Tell whether the engine holds the image."""
        with self._client(f"look for image {tag}") as client:
            try:
                client.images.get(tag)
            except docker.errors.ImageNotFound:
                return False
            return True

    def build_image(self, tag: str, context: bytes, base: str) -> Iterator[str]:
        """Build an image from a tar context, yielding the engine's lines."""
        with self._client(f"build image {tag} from {base}") as client:
            lines: Iterable[Any] = client.api.build(
                fileobj=BytesIO(context),
                custom_context=True,
                tag=tag,
                buildargs={"BASE": base},
                rm=True,
                forcerm=True,
                decode=True,
            )
            for line in lines:
                if "error" in line:
                    raise SandboxError(f"cannot build image {tag} from {base}: {line['error'].strip()}")
                yield str(line.get("stream", "")).strip()

    def import_image(self, archive: Path, repository: str, tag: str) -> None:
        """Make an image out of the tar archive of a root file system."""
        with self._client(f"import image {repository}:{tag}") as client:
            client.api.import_image_from_file(str(archive), repository=repository, tag=tag)

    def start_container(self, image: str, runtime: str | None) -> "DockerContainer":
        """Start a hardened container and attach to its supervisor; runtime None is the engine's default."""
        client = self._new_client()
        container = DockerContainer(client, self._host, name=f"assay-sandbox-{secrets.token_hex(8)}")
        try:
            with _translated("start a sandbox container", self._host):
                container.start(image, runtime, {LABEL: self._owner.label()})
        except SandboxError:
            with contextlib.suppress(SandboxError):  # the first error is the one to tell
                container.remove()
            raise
        return container

    def reap(self, lost: Iterable[str]) -> int:
        """Remove containers whose owner is gone, and those named in `lost`; returns how many."""
        with self._client("remove leftover containers") as client:
            found: list[Any] = client.api.containers(all=True, filters={"label": LABEL})
            leftovers = [*lost, *(item["Id"] for item in found if self._is_leftover(item))]
            for container in leftovers:
                _remove(client, container)
            return len(leftovers)

    def _is_leftover(self, item: Any) -> bool:
        if self._owner.knows_dead(str(item["Labels"][LABEL])):
            return True
        # Not running and not just created: its owner, on whatever machine, has lost it.
        return item["State"] not in ("running", "paused") and time.time() - item["Created"] > LEFTOVER_SECONDS

    def _new_client(self) -> Any:
        _knock(self._host)
        try:  # it asks the engine for its version
            if self._given_host is None:
                return docker.from_env(timeout=CALL_SECONDS)  # type: ignore[no-untyped-call]
            return docker.DockerClient(base_url=self._given_host, timeout=CALL_SECONDS)
        except (docker.errors.DockerException, requests.exceptions.RequestException, OSError) as error:
            raise _no_engine(self._host, str(error)) from error

    @contextlib.contextmanager
    def _client(self, action: str) -> Generator[Any]:
        client = self._new_client()
        try:
            with _translated(action, self._host):
                yield client
        finally:
            client.close()


class DockerBackend:
    """Containers of one image on one engine. Implements `sandbox.supply.Backend`."""

    def __init__(self, engine: Engine, image: str, runtime: str | None) -> None:
        self._engine = engine
        self._image = image
        self._runtime = runtime

    def start(self) -> "DockerContainer":
        """Start a container; SandboxError when engine, image or runtime are missing."""
        known = self._engine.facts().runtimes if self._runtime else ()
        if self._runtime and self._runtime not in known:
            raise SandboxError(
                f"the engine has no runtime {self._runtime!r}, only {', '.join(known)}:"
                " add it to `runtimes` in the engine's daemon.json, or choose one of these"
            )
        return self._engine.start_container(self._image, self._runtime)

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

    def start(self, image: str, runtime: str | None, labels: dict[str, str]) -> None:
        created = self._client.containers.create(
            image,
            [str(random_uid())],
            name=self.name,
            labels=labels,
            runtime=runtime,
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
            with _translated(f"remove container {self.name}", self._host):
                _remove(self._client, self.name)
        finally:
            if self._attached is not None:
                connection = self._connection()
                self._attached.close()
                connection.close()
            self._client.close()


def _remove(client: Any, container: str) -> None:
    try:
        client.api.remove_container(container, force=True, v=True)
    except docker.errors.APIError as error:
        if error.status_code not in (404, 409):  # gone, or being removed by someone else
            raise
