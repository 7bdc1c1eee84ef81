"""The sandbox that callers use: programs into containers, replies into runs.

program ends       a `Run`
call is cancelled  the program is killed
container is lost  the program runs once more in another; lost again, it CRASHED
engine is gone     SandboxError, until a later call finds it back
"""

import asyncio
import logging
import random

from sandbox.api import Limits, Program, Run, RunStatus, SandboxError, Usage
from sandbox.image.wire import MAX_BODY_BYTES, Kind, Request
from sandbox.pool import Pool
from sandbox.verdict import encode_body, to_run
from sandbox.worker import Answer, WorkerFaultError, WorkerLostError

MAX_SOURCE_CHARS = 256 * 1024
MIN_MEMORY_BYTES = 64 * 1024 * 1024  # the interpreter itself takes a part of it
MAX_MEMORY_BYTES = 1 << 40  # of address space; the container's limit holds as well
MAX_RESULT_BYTES = 16 * 1024 * 1024
MAX_SECONDS = 3600.0
DECODED_INLINE_BYTES = 16 * 1024  # a few ms of decoding at worst; more would hold up the event loop

logger = logging.getLogger(__name__)


class PooledSandbox:
    """Runs programs in a pool of containers. Implements `sandbox.api.Sandbox`."""

    def __init__(self, pool: Pool, name: str) -> None:
        self._pool = pool
        self._name = name
        self._random = random.SystemRandom()

    @property
    def name(self) -> str:
        return self._name

    @property
    def slots(self) -> int:
        return self._pool.size

    @property
    def usage(self) -> Usage:
        return self._pool.usage

    async def check(self) -> None:
        """Find out whether programs can be run now; see `sandbox.api.Sandbox.check`."""
        await self._pool.check()

    async def run(self, program: Program, limits: Limits) -> Run:
        """Run one program; see `sandbox.api.Sandbox.run`.

        Raises:
            SandboxError: no verdict could be had.
            ValueError: the limits are impossible, or calls, imports and setup too large to send
                or with a null character.
        """
        if len(program.source) > MAX_SOURCE_CHARS:
            detail = f"source of {len(program.source)} characters: at most {MAX_SOURCE_CHARS} are run"
            return Run(status=RunStatus.LOAD_ERROR, detail=detail)
        if "\0" in program.source:
            return Run(status=RunStatus.LOAD_ERROR, detail="source: a null character")
        order = list(range(len(program.calls)))
        self._random.shuffle(order)
        answer = await self._run_twice_at_most(_request(limits), _body(program, order))
        if answer is None:
            return Run(status=RunStatus.CRASHED, detail="took down two containers")
        if len(answer.payload) < DECODED_INLINE_BYTES:
            return to_run(answer.reply, answer.payload, order, limits)
        return await asyncio.to_thread(to_run, answer.reply, answer.payload, order, limits)

    async def close(self) -> None:
        """Kill what runs and remove every container; later runs raise SandboxError."""
        await self._pool.close()

    async def _run_twice_at_most(self, request: Request, body: bytes) -> Answer | None:
        """Run a program; None when two containers were lost with it, and a third can be had."""
        try:
            return await self._pool.run(request, body)
        except WorkerLostError as error:
            logger.warning("a sandbox container was lost, running its program again: %s", error)
        try:
            return await self._pool.run(request, body)
        except WorkerFaultError as error:
            raise SandboxError(f"two containers could not run a program: {error}") from error
        except WorkerLostError as error:
            await self._pool.prove()  # an engine that is stopping takes containers down, too
            logger.warning("a program took down two containers: %s", error)
        return None


def _request(limits: Limits) -> Request:
    bounds = (
        ("cpu_seconds", limits.cpu_seconds, 0.001, MAX_SECONDS),
        ("wall_seconds", limits.wall_seconds, 0.001, MAX_SECONDS),
        ("memory_bytes", limits.memory_bytes, MIN_MEMORY_BYTES, MAX_MEMORY_BYTES),
        ("result_bytes", limits.result_bytes, 1, MAX_RESULT_BYTES),
    )
    for name, value, least, most in bounds:
        if not least <= value <= most:
            raise ValueError(f"limits.{name} must be from {least} to {most}, not {value}")
    return Request(
        Kind.RUN,
        sequence=0,  # given by the worker
        cpu_ms=round(limits.cpu_seconds * 1000),
        wall_ms=round(limits.wall_seconds * 1000),
        memory_bytes=limits.memory_bytes,
        result_bytes=limits.result_bytes,
    )


def _body(program: Program, order: list[int]) -> bytes:
    body = encode_body(program, order)
    if len(body) > MAX_BODY_BYTES:
        raise ValueError(f"program of {len(body)} bytes: calls, imports and setup must fit {MAX_BODY_BYTES}")
    return body
