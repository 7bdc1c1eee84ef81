"""Slots of containers behind the `Sandbox` protocol: waiting, retrying, renewing, recovering.

Callers wait in order of arrival; waiting counts against no limit. A slot holds one
container or none. Whoever gets an empty slot fills it first; while the engine cannot
be used, attempts are spaced out and callers in between get the last reason at once.

    program ends       its slot is free again; after many programs the container is replaced
    call is cancelled  the program is killed, its slot is free again
    container is lost  the program runs once more in another; lost again, it CRASHED
    engine is gone     SandboxError, until a later attempt succeeds
"""

import asyncio
import logging
import random
from collections import deque
from collections.abc import Coroutine
from typing import Any

from sandbox.api import Limits, Program, Run, RunStatus, SandboxError
from sandbox.docker import Engine
from sandbox.image.wire import MAX_BODY_BYTES, Kind, Request
from sandbox.verdict import encode_body, to_run
from sandbox.worker import Answer, Worker, WorkerLostError

PROGRAMS_PER_CONTAINER = 5_000
MAX_SOURCE_CHARS = 256 * 1024
DECODED_INLINE_BYTES = 16 * 1024  # a few ms of decoding at worst; more would hold up the event loop
MIN_MEMORY_BYTES = 64 * 1024 * 1024  # the interpreter itself takes a part of it
FIRST_RETRY_SECONDS = 0.25
LAST_RETRY_SECONDS = 8.0

logger = logging.getLogger(__name__)


class _Slot:
    """A place for one container."""

    def __init__(self) -> None:
        self.worker: Worker | None = None

    @property
    def usable(self) -> bool:
        return self.worker is not None and self.worker.alive


class DockerSandbox:
    """Runs programs in a fixed number of containers. Implements `sandbox.api.Sandbox`."""

    def __init__(self, engine: Engine, *, image: str, slots: int, name: str) -> None:
        self._engine = engine
        self._image = image
        self._name = name
        self._all = [_Slot() for _ in range(slots)]
        self._free = deque(self._all)
        self._turns = asyncio.Semaphore(slots)  # fair: first come, first served
        self._tasks: set[asyncio.Task[None]] = set()
        self._shuffle = random.SystemRandom()
        self._reason = "not opened yet"
        self._retry_at = 0.0
        self._retry_seconds = FIRST_RETRY_SECONDS
        self._reaped = False
        self._lost: set[str] = set()  # containers of ours that could not be removed
        self._closed = False

    @property
    def name(self) -> str:
        return self._name

    @property
    def slots(self) -> int:
        return len(self._all)

    async def open(self) -> None:
        """Fill all slots; what cannot be filled now is filled by a later run."""
        await asyncio.gather(*(self._fill(slot) for slot in self._all))

    async def check(self) -> None:
        """Find out whether programs can be run now, starting a container if need be.

        Raises:
            SandboxError: they cannot; the message says why and what to do.
        """
        if self._closed or not any(slot.usable for slot in self._all):
            self._release(await self._acquire())

    async def run(self, program: Program, limits: Limits) -> Run:
        """Run one program; see `sandbox.api.Sandbox.run`.

        Raises:
            SandboxError: no verdict could be had.
            ValueError: the limits are impossible, or calls, imports and setup too large to send.
        """
        if len(program.source) > MAX_SOURCE_CHARS:
            detail = f"source of {len(program.source)} characters: at most {MAX_SOURCE_CHARS} are run"
            return Run(status=RunStatus.LOAD_ERROR, detail=detail)
        order = list(range(len(program.calls)))
        self._shuffle.shuffle(order)
        body = encode_body(program, order)
        if len(body) > MAX_BODY_BYTES:
            raise ValueError(
                f"program of {len(body)} bytes: calls, imports and setup must fit {MAX_BODY_BYTES}"
            )
        request = _request(limits)
        try:
            answer = await self._run_once(request, body)
        except WorkerLostError as first:
            logger.warning("a sandbox container was lost, running its program again: %s", first)
            try:
                answer = await self._run_once(request, body)
            except WorkerLostError as second:
                return await self._blame(second)
        if len(answer.payload) < DECODED_INLINE_BYTES:
            return to_run(answer.reply, answer.payload, order, limits)
        return await asyncio.to_thread(to_run, answer.reply, answer.payload, order, limits)

    async def close(self) -> None:
        """Kill what runs and remove every container; later runs raise SandboxError."""
        self._closed = True
        while self._tasks or any(slot.worker for slot in self._all):
            await asyncio.gather(*self._tasks, *(self._empty(slot) for slot in self._all))
        if self._lost:
            try:
                await self._reap()
            except SandboxError as error:
                logger.warning("containers are left to the next start: %s: %s", sorted(self._lost), error)

    async def _run_once(self, request: Request, body: bytes) -> Answer:
        slot = await self._acquire()
        worker = slot.worker
        assert worker is not None, "acquired slots are filled"
        try:
            answer = await worker.run(request, body)
        except asyncio.CancelledError:
            self._own(self._settle(slot, worker))
            raise
        except WorkerLostError:
            self._own(self._renew(slot))
            raise
        if worker.programs >= PROGRAMS_PER_CONTAINER:
            self._own(self._renew(slot))
        else:
            self._release(slot)
        return answer

    async def _blame(self, lost: WorkerLostError) -> Run:
        """Two containers were lost: the program's doing, unless no container can be had at all."""
        self._release(await self._acquire())
        logger.warning("a program took down two containers: %s", lost)
        return Run(status=RunStatus.CRASHED, detail="took down two containers")

    async def _acquire(self) -> _Slot:
        """Wait for a slot with a container in it."""
        await self._turns.acquire()
        slot = self._free.popleft()
        if slot.usable and not self._closed:
            return slot
        # Filled by a task of ours: a caller that leaves must not leave half a container.
        filling = self._own(self._fill(slot))
        try:
            await asyncio.shield(filling)
        except asyncio.CancelledError:
            filling.add_done_callback(lambda _: self._release(slot))
            raise
        if not slot.usable:
            self._release(slot)
            raise SandboxError(self._reason)
        return slot

    def _release(self, slot: _Slot) -> None:
        self._free.append(slot)
        self._turns.release()

    async def _settle(self, slot: _Slot, worker: Worker) -> None:
        """Kill the program of a cancelled call, then free its slot."""
        try:
            await worker.cancel()
        except WorkerLostError:
            await self._renew(slot)
        else:
            self._release(slot)

    async def _renew(self, slot: _Slot) -> None:
        await self._fill(slot)
        self._release(slot)

    async def _fill(self, slot: _Slot) -> None:
        """Put a new container into a slot; on failure leave it empty and remember the reason."""
        await self._empty(slot)
        now = asyncio.get_running_loop().time()
        if self._closed:
            self._reason = "the sandbox is closed"
        if self._closed or now < self._retry_at:
            return
        try:
            slot.worker = await self._start()
        except (SandboxError, WorkerLostError) as error:
            self._reason = str(error)
            self._retry_at = asyncio.get_running_loop().time() + self._retry_seconds
            self._retry_seconds = min(2 * self._retry_seconds, LAST_RETRY_SECONDS)
            self._reaped = False  # what the engine lost on the way is removed when it is back
        else:
            self._retry_at, self._retry_seconds = 0.0, FIRST_RETRY_SECONDS

    async def _start(self) -> Worker:
        if not self._reaped:
            await self._reap()
        container = await asyncio.to_thread(self._engine.start_container, self._image)
        try:
            return await Worker.attach(container)
        except (SandboxError, WorkerLostError):
            await asyncio.to_thread(container.remove)
            raise

    async def _reap(self) -> None:
        lost = tuple(self._lost)
        removed = await asyncio.to_thread(self._engine.reap, lost)
        self._lost.difference_update(lost)
        self._reaped = True
        if removed:
            logger.info("removed %d leftover sandbox containers", removed)

    async def _empty(self, slot: _Slot) -> None:
        worker, slot.worker = slot.worker, None
        if worker is None:
            return
        worker.close()
        try:
            await asyncio.to_thread(worker.discard)
        except SandboxError as error:
            logger.warning("a sandbox container could not be removed now, a later start will: %s", error)
            self._lost.add(worker.container_name)
            self._reaped = False

    def _own(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task


def _request(limits: Limits) -> Request:
    if min(limits.cpu_seconds, limits.wall_seconds) <= 0 or limits.result_bytes <= 0:
        raise ValueError(f"limits must be positive: {limits}")
    if limits.memory_bytes < MIN_MEMORY_BYTES:
        raise ValueError(f"memory_bytes must be at least {MIN_MEMORY_BYTES}, not {limits.memory_bytes}")
    return Request(
        Kind.RUN,
        sequence=0,  # given by the worker
        cpu_ms=round(limits.cpu_seconds * 1000),
        wall_ms=round(limits.wall_seconds * 1000),
        memory_bytes=limits.memory_bytes,
        result_bytes=limits.result_bytes,
    )
