"""Where containers come from and go to: started, reaped, removed, in threads off the event loop.

While the backend (an engine, say) cannot be used, attempts are spaced out, and whoever asks in between
gets the last reason at once. What could not be removed meanwhile is removed when it is
back.
"""

import asyncio
import logging
from collections.abc import Iterable
from typing import Protocol

from sandbox.api import SandboxError
from sandbox.worker import Container, Worker, WorkerLostError

FIRST_RETRY_SECONDS = 0.25
LAST_RETRY_SECONDS = 8.0

logger = logging.getLogger(__name__)


class Backend(Protocol):
    """Something that can start containers. Both methods block, and raise SandboxError."""

    def start(self) -> Container:
        """Start a container and connect to its supervisor."""
        ...

    def reap(self, lost: Iterable[str]) -> int:
        """Remove containers whose owner is gone, and those named in `lost`; returns how many."""
        ...


class ContainerSupply:
    """Starts and removes containers of one backend."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._reason = ""
        self._retry_at = 0.0
        self._retry_seconds = FIRST_RETRY_SECONDS
        self._reaped = False
        self._lost: set[str] = set()  # containers of ours that could not be removed

    async def start(self) -> Worker:
        """Start a container.

        Raises:
            SandboxError: none can be had now; it may have been known without a new attempt.
        """
        now = asyncio.get_running_loop().time()
        if now < self._retry_at:
            raise SandboxError(self._reason)
        try:
            worker = await self._attempt()
        except (SandboxError, WorkerLostError) as error:
            self._reason = str(error)
            self._retry_at = asyncio.get_running_loop().time() + self._retry_seconds
            self._retry_seconds = min(2 * self._retry_seconds, LAST_RETRY_SECONDS)
            self._reaped = False  # an engine that was away may have left something behind
            raise SandboxError(self._reason) from error
        self._retry_at, self._retry_seconds = 0.0, FIRST_RETRY_SECONDS
        return worker

    async def discard(self, worker: Worker) -> None:
        """Remove a worker's container, later if it cannot be done now."""
        worker.close()
        try:
            await asyncio.to_thread(worker.remove)
        except SandboxError as error:
            logger.warning("a sandbox container could not be removed now, a later start will: %s", error)
            self._lost.add(worker.name)
            self._reaped = False

    async def close(self) -> None:
        """Try once more to remove what could not be removed."""
        if not self._lost:
            return
        try:
            await self._reap()
        except SandboxError as error:
            logger.warning("containers are left to the next start: %s: %s", sorted(self._lost), error)

    async def _attempt(self) -> Worker:
        if not self._reaped:
            await self._reap()
        container = await asyncio.to_thread(self._backend.start)
        try:
            return await Worker.attach(container)
        except (SandboxError, WorkerLostError):
            await asyncio.to_thread(container.remove)
            raise

    async def _reap(self) -> None:
        lost = tuple(self._lost)
        removed = await asyncio.to_thread(self._backend.reap, lost)
        self._lost.difference_update(lost)
        self._reaped = True
        if removed:
            logger.info("removed %d leftover sandbox containers", removed)
