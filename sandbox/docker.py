"""The Docker Engine: its facts, its images, and what dead owners have left on it.

Every method blocks: call them in threads. Only this file and `sandbox.containers` import
the Docker SDK, which has no type stubs: what it returns is `Any`, and stays in them.

Containers carry labels that say who owns them. An owner that dies takes its
containers with it: its socket closes, the supervisor's stdin ends, the supervisor
exits. What is left to do is removal, by whichever owner opens the engine next.
"""

import contextlib
import os
import socket
import time
from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import docker
import docker.errors
import requests.exceptions

from sandbox.api import SandboxError
from sandbox.owner import Owner

LABEL = "dev.assay.sandbox.owner"
DEFAULT_HOST = "unix:///var/run/docker.sock"
CALL_SECONDS = 30.0
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
def translated(action: str, host: str) -> Generator[None]:
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

    @property
    def host(self) -> str:
        """Its address."""
        return self._host

    def labels(self) -> dict[str, str]:
        """Return what a container carries to be found again."""
        return {LABEL: self._owner.label()}

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

    def reap(self, lost: Iterable[str]) -> int:
        """Remove containers whose owner is gone, and those named in `lost`; returns how many."""
        with self._client("remove leftover containers") as client:
            found: list[Any] = client.api.containers(all=True, filters={"label": LABEL})
            leftovers = [*lost, *(item["Id"] for item in found if self._is_leftover(item))]
            for container in leftovers:
                remove(client, container)
            return len(leftovers)

    def _is_leftover(self, item: Any) -> bool:
        if self._owner.knows_dead(str(item["Labels"][LABEL])):
            return True
        # Not running and not just created: its owner, on whatever machine, has lost it.
        return item["State"] not in ("running", "paused") and time.time() - item["Created"] > LEFTOVER_SECONDS

    def connect(self) -> Any:
        """Return a client of the caller's own; SandboxError when no engine answers."""
        _knock(self._host)
        try:  # it asks the engine for its version
            if self._given_host is None:
                return docker.from_env(timeout=CALL_SECONDS)  # type: ignore[no-untyped-call]
            return docker.DockerClient(base_url=self._given_host, timeout=CALL_SECONDS)
        except (docker.errors.DockerException, requests.exceptions.RequestException, OSError) as error:
            raise _no_engine(self._host, str(error)) from error

    @contextlib.contextmanager
    def _client(self, action: str) -> Generator[Any]:
        client = self.connect()
        try:
            with translated(action, self._host):
                yield client
        finally:
            client.close()


def remove(client: Any, container: str) -> None:
    """Kill and remove a container, unless it has gone already."""
    try:
        client.api.remove_container(container, force=True, v=True)
    except docker.errors.APIError as error:
        if error.status_code not in (404, 409):  # gone, or being removed by someone else
            raise
