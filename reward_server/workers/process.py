"""One worker process, seen from the parent: asked, watched, killed.

The CPU clock of the child is read from outside, so a computation that never returns
to Python is measured as well as one that does.
"""

import asyncio
import contextlib
import os
import signal
import time
from pathlib import Path
from typing import Any

from reward_server.errors import GraderLostError
from reward_server.workers import frames
from reward_server.workers.errors import Limit, WorkerBudgetError, WorkerTaskError

# A child near the end of its budget is not looked at more often.
SHORTEST_WATCH_S = 0.005


class ChildProcess:
    """A warm child that performs one task at a time."""

    def __init__(self, pid: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.pid = pid
        self.wants_to_retire = False
        self._reader = reader
        self._writer = writer

    @property
    def is_gone(self) -> bool:
        """Whether it has closed its end, which it does only by dying."""
        return self._reader.at_eof()

    async def ready(self) -> None:
        """Return when it waits for its first task.

        Raises:
            GraderLostError: it died before.
        """
        await self._receive()

    async def perform(self, task: str, payload: object, *, cpu_seconds: float, wall_seconds: float) -> Any:
        """Return the task's result. After any error but `WorkerTaskError` the child is unusable.

        The CPU time is the task's budget; the wall time is only a backstop, in which time in the
        kernel's run queue does not count.

        Raises:
            WorkerBudgetError: the task ran into its CPU or memory limit.
            WorkerTaskError: the task raised.
            GraderLostError: the child died, or made no progress, for no reason of the task's.
        """
        clock_started = self._cpu_clock()
        self._writer.write(frames.encode({"task": task, "payload": payload}))
        reply_task = asyncio.ensure_future(self._receive())
        try:
            await self._watch(reply_task, task, clock_started, cpu_seconds, wall_seconds)
            reply = reply_task.result()
        finally:
            reply_task.cancel()
        self.wants_to_retire = bool(reply.get("retire"))
        if "memory" in reply:
            raise WorkerBudgetError(f"task {task!r} used up its worker's memory", limit=Limit.MEMORY)
        if "raised" in reply:
            raise WorkerTaskError(
                f"task {task!r} raised {reply['raised']}: {reply['message']}", type_name=reply["raised"]
            )
        return reply["result"]

    def kill(self) -> None:
        """Send the child a signal it cannot refuse; does not wait."""
        # The zygote keeps its number until it is reaped, but may be gone itself.
        if not self.is_gone:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)

    def close(self) -> None:
        """Let go of the channel."""
        self._writer.close()

    async def _watch(
        self,
        reply: "asyncio.Future[dict[str, Any]]",
        task: str,
        clock_started: float,
        cpu_seconds: float,
        wall_seconds: float,
    ) -> None:
        """Return when the reply is there; raise as soon as a budget is used up."""
        idle_deadline = time.monotonic() - self._queued() + wall_seconds
        left = cpu_seconds
        while True:
            # A child with one thread cannot use so many seconds of CPU in less wall time.
            done, _ = await asyncio.wait({reply}, timeout=max(left, SHORTEST_WATCH_S))
            if done:
                return
            left = cpu_seconds - (self._cpu_clock() - clock_started)
            if left <= 0:
                raise WorkerBudgetError(
                    f"task {task!r} used up its {cpu_seconds:g} s of CPU time", limit=Limit.CPU
                )
            if time.monotonic() - self._queued() > idle_deadline:
                raise GraderLostError(
                    f"task {task!r} had {cpu_seconds - left:.2f} s of CPU time "
                    f"in {wall_seconds:g} s in which it could have had it"
                )

    async def _receive(self) -> dict[str, Any]:
        try:
            header = await self._reader.readexactly(frames.HEADER.size)
            return frames.decode(await self._reader.readexactly(frames.body_length(header)))
        except (asyncio.IncompleteReadError, ConnectionError) as error:
            raise GraderLostError(f"worker {self.pid} died") from error
        except frames.FrameError as error:
            raise GraderLostError(f"worker {self.pid} broke the protocol: {error}") from error

    def _queued(self) -> float:
        """Seconds that the child was ready and waited for a CPU; 0 where the kernel does not tell."""
        try:
            return int(Path(f"/proc/{self.pid}/schedstat").read_bytes().split()[1]) / 1e9
        except OSError:
            return 0.0

    def _cpu_clock(self) -> float:
        """CPU seconds used so far by all threads of the child.

        The clock's number is what `clock_getcpuclockid(3)` computes on Linux; Python has no
        wrapper for it.
        """
        try:
            return time.clock_gettime((~self.pid << 3) | 2)
        except OSError as error:
            raise GraderLostError(f"worker {self.pid} died") from error
