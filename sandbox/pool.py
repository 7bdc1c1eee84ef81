"""A fixed number of slots, each with a container or without one.

Callers wait in order of arrival. A slot is handed out with a living container in it:
whoever gets an empty one fills it first. Work that must not end with its caller
(filling, killing, removing) runs in tasks that the pool owns and `close` awaits.
"""

import asyncio
from collections import deque
from collections.abc import Coroutine
from typing import Any

from sandbox.api import SandboxError, Usage
from sandbox.image.wire import Request
from sandbox.supply import ContainerSupply
from sandbox.worker import Answer, Worker, WorkerLostError

PROGRAMS_PER_CONTAINER = 5_000


class _Slot:
    """A place for one container."""

    def __init__(self) -> None:
        self.worker: Worker | None = None

    @property
    def usable(self) -> bool:
        return self.worker is not None and self.worker.alive


class Pool:
    """Slots of containers; `run` takes one for the time of a program."""

    def __init__(self, supply: ContainerSupply, slots: int) -> None:
        self._supply = supply
        self._slots = [_Slot() for _ in range(slots)]
        self._free = deque(self._slots)
        self._turns = asyncio.Semaphore(slots)  # fair: first come, first served
        self._tasks: set[asyncio.Task[None]] = set()
        self._closed = False
        self._programs = 0
        self._replaced = 0

    @property
    def size(self) -> int:
        return len(self._slots)

    @property
    def usage(self) -> Usage:
        """What runs, and what has run."""
        busy = len(self._slots) - len(self._free)
        return Usage(busy=busy, programs=self._programs, replaced=self._replaced)

    async def open(self) -> None:
        """Fill all slots; what cannot be filled now is filled by a later run."""
        filling = [self._own(self._fill(slot)) for slot in self._slots]
        await asyncio.gather(*filling, return_exceptions=True)

    async def check(self) -> None:
        """Find out whether a slot can be had, filling one if need be.

        Raises:
            SandboxError: none can.
        """
        if self._closed or not any(slot.usable for slot in self._slots):
            self._release(await self._acquire())

    async def prove(self) -> None:
        """Start a container in place of another, which only an engine that works can do.

        Raises:
            SandboxError: it failed.
        """
        self._release(await self._acquire(fresh=True))

    async def run(self, request: Request, body: bytes) -> Answer:
        """Wait for a slot and run a program in it; when the call is cancelled, the program is killed.

        Raises:
            SandboxError: no container can be had.
            WorkerLostError: the container was lost while the program ran; it is being replaced.
        """
        slot = await self._acquire()
        worker = slot.worker
        assert worker is not None, "acquired slots are filled"
        self._programs += 1
        try:
            answer = await worker.run(request, body)
        except asyncio.CancelledError:
            self._own(self._settle(slot, worker))
            raise
        except WorkerLostError:
            self._own(self._renew(slot))
            raise
        if worker.programs < PROGRAMS_PER_CONTAINER:
            self._release(slot)
        else:
            self._own(self._renew(slot))
        return answer

    async def close(self) -> None:
        """Kill what runs and remove every container; `run` and `check` raise SandboxError from now on."""
        self._closed = True
        while self._tasks or any(slot.worker for slot in self._slots):
            emptying = [self._empty(slot) for slot in self._slots]
            await asyncio.gather(*self._tasks, *emptying, return_exceptions=True)
        await self._supply.close()

    async def _acquire(self, *, fresh: bool = False) -> _Slot:
        await self._turns.acquire()
        slot = self._free.popleft()
        if slot.usable and not fresh and not self._closed:
            return slot
        filling = self._own(self._fill(slot))
        filled = False
        try:
            await asyncio.shield(filling)
            filled = True
        finally:
            if not filled:  # refused, or the caller leaves: the slot is free once the filling has ended
                filling.add_done_callback(lambda _: self._release(slot))
        return slot

    def _release(self, slot: _Slot) -> None:
        self._free.append(slot)
        self._turns.release()

    async def _fill(self, slot: _Slot) -> None:
        self._replaced += slot.worker is not None
        await self._empty(slot)
        if self._closed:
            raise SandboxError("the sandbox is closed")
        slot.worker = await self._supply.start()

    async def _empty(self, slot: _Slot) -> None:
        worker, slot.worker = slot.worker, None
        if worker is not None:
            await self._supply.discard(worker)

    async def _settle(self, slot: _Slot, worker: Worker) -> None:
        """Kill the program of a cancelled call, then free its slot."""
        try:
            await worker.cancel()
        except WorkerLostError:
            await self._renew(slot)
        else:
            self._release(slot)

    async def _renew(self, slot: _Slot) -> None:
        """Replace a container; a slot that stays empty tells its next caller why."""
        try:
            await self._fill(slot)
        except SandboxError:
            slot.worker = None
        finally:
            self._release(slot)

    def _own(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._forget)
        return task

    def _forget(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            task.exception()  # its caller, if it is still there, gets it from the task
