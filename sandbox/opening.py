"""Opens the sandbox of this host: the one place that puts its parts together."""

import os
import sys
from dataclasses import dataclass

from sandbox.api import Sandbox, SandboxError
from sandbox.build import image_tag
from sandbox.docker import Engine
from sandbox.owner import Owner
from sandbox.pool import Pool
from sandbox.runner import DockerSandbox
from sandbox.supply import ContainerSupply


@dataclass(frozen=True, kw_only=True, slots=True)
class SandboxOptions:
    """How to reach the engine, and how many programs run at once."""

    slots: int | None = None  # None: one per CPU this process may use
    docker_host: str | None = None  # None: DOCKER_HOST, or the local socket


async def open_sandbox(options: SandboxOptions) -> Sandbox:
    """Open the Docker sandbox and start its containers.

    Without an engine or an image the sandbox is returned all the same: its `check`
    and `run` raise SandboxError with the reason, until a later attempt succeeds.

    Raises:
        SandboxError: this is not Linux, so no later attempt can succeed.
        ValueError: `slots` is less than 1.
    """
    if sys.platform != "linux":
        raise SandboxError(f"the sandbox needs Linux, not {sys.platform}")
    slots = len(os.sched_getaffinity(0)) if options.slots is None else options.slots
    if slots < 1:
        raise ValueError(f"slots must be at least 1, not {slots}")
    engine = Engine(options.docker_host, Owner.this_process())
    pool = Pool(ContainerSupply(engine, image_tag()), slots)
    await pool.open()
    return DockerSandbox(pool, name="docker")
