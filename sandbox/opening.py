"""Opens the sandbox of this host: the one place that puts its parts together."""

import os
import sys
from functools import partial

from sandbox.api import Sandbox, SandboxError
from sandbox.bubblewrap import BubblewrapBackend
from sandbox.choosing import ChosenSandbox
from sandbox.containers import DockerBackend
from sandbox.docker import Engine
from sandbox.options import BackendChoice, SandboxOptions
from sandbox.owner import Owner
from sandbox.pool import Pool
from sandbox.runner import PooledSandbox
from sandbox.sources import image_tag
from sandbox.supply import Backend, ContainerSupply


async def open_sandbox(options: SandboxOptions) -> Sandbox:
    """Open the strongest backend of this host that passes its self-check, and start its containers.

    When there is none the sandbox is returned all the same: its `check` and `run` raise
    SandboxError with the reasons, until a later attempt succeeds.

    Raises:
        SandboxError: this is not Linux, so no later attempt can succeed.
    """
    if sys.platform != "linux":
        raise SandboxError(f"the sandbox needs Linux, not {sys.platform}")
    slots = len(os.sched_getaffinity(0)) if options.slots is None else options.slots
    candidates = [partial(_open, choice, options, slots) for choice in options.backends()]
    sandbox = ChosenSandbox(candidates, slots)
    await sandbox.settle()
    return sandbox


async def open_unchecked(options: SandboxOptions) -> Sandbox:
    """Open the first backend of the options as it is, for those who check it themselves."""
    return await _open(options.backends()[0], options, options.slots or 1)


async def _open(choice: BackendChoice, options: SandboxOptions, slots: int) -> Sandbox:
    backend, name = _backend(choice, options)
    pool = Pool(ContainerSupply(backend), slots)
    await pool.open()
    return PooledSandbox(pool, name)


def _backend(choice: BackendChoice, options: SandboxOptions) -> tuple[Backend, str]:
    if choice is BackendChoice.BUBBLEWRAP:
        return BubblewrapBackend(options.hash_seed), choice.value
    engine = Engine(options.docker_host, Owner.this_process())
    name = f"docker with {options.runtime}" if options.runtime else "docker"
    return DockerBackend(engine, image_tag(), options.runtime, options.hash_seed), name
