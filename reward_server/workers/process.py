"""One worker process, seen from the parent: asked, watched, killed.

The CPU clock of the child is read from outside, so a computation that never returns
to Python is measured as well as one that does.
"""

import asyncio
import contextlib
import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from reward_server.errors import GraderLostError, GradingError
from reward_server.workers import frames
from reward_server.workers.channel import Channel
from reward_server.workers.errors import Limit, WorkerBudgetError, WorkerTaskError

# A child near the end of its budget is not looked at more often.
SHORTEST_WATCH_S = 0.005
WALL_FACTOR = 10.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Work:
    """A task and what it is given, ready to be sent, and its whole budget."""

    task: str
    frame: bytes
    cpu_seconds: float

    @classmethod
    def of(cls, task: str, payload: object, *, cpu_seconds: float) -> Self:
        """Put JSON in a frame.

        Raises:
            frames.FrameError: the payload is too large.
        """
        return cls(
            task=task, frame=frames.encode({"task": task, "payload": payload}), cpu_seconds=cpu_seconds
        )


class ChildProcess:
    """A warm child that performs one task at a time."""

    def __init__(self, pid: int, channel: Channel) -> None:
        self.pid = pid
        self.wants_to_retire = False
        self._channel = channel

    @property
    def is_gone(self) -> bool:
        """Whether it has closed its end, which it does only by dying."""
        return self._channel.is_gone

    async def ready(self) -> None:
        """Return when it waits for its first task.

        Raises:
            GraderLostError: it died before.
        """
        await self._channel.first()

    async def perform(self, work: Work, *, cpu_seconds: float) -> Any:
        """Return the task's result. After any error but `WorkerTaskError` the child is unusable.

        `cpu_seconds` is what the task may use of its budget here. The wall time is only a backstop,
        a multiple of that budget, in which time in the kernel's run queue does not count.

        Raises:
            WorkerBudgetError: the task ran into its CPU or memory limit.
            WorkerTaskError: the task raised.
            GraderLostError: the child died, or made no progress, for no reason of the task's.
        """
        started = self.cpu_clock()
        answer = self._channel.ask(work.frame)
        watch = _Watch(self, work, answer, started=started, cpu_seconds=cpu_seconds)
        try:
            reply = await answer
        finally:
            watch.stop()
        self.wants_to_retire = bool(reply.get("retire"))
        if "memory" in reply:
            raise WorkerBudgetError(f"task {work.task!r} used up its worker's memory", limit=Limit.MEMORY)
        if "raised" in reply:
            raise WorkerTaskError(
                f"task {work.task!r} raised {reply['raised']}: {reply['message']}", type_name=reply["raised"]
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
        self._channel.close()

    def queued_seconds(self) -> float:
        """Seconds that the child was ready and waited for a CPU; 0 where the kernel does not tell."""
        try:
            return int(Path(f"/proc/{self.pid}/schedstat").read_bytes().split()[1]) / 1e9
        except OSError:
            return 0.0

    def cpu_clock(self) -> float:
        """CPU seconds used so far by all threads of the child.

        The clock's number is what `clock_getcpuclockid(3)` computes on Linux; Python has no
        wrapper for it.
        """
        try:
            return time.clock_gettime((~self.pid << 3) | 2)
        except OSError as error:
            raise GraderLostError(f"worker {self.pid} died") from error


class _Watch:
    """Looks at a worker's clock now and then, and fails the answer when a budget is used up."""

    def __init__(
        self,
        child: ChildProcess,
        work: Work,
        answer: "asyncio.Future[dict[str, Any]]",
        *,
        started: float,
        cpu_seconds: float,
    ) -> None:
        self._child = child
        self._work = work
        self._answer = answer
        self._cpu_limit = started + cpu_seconds
        self._cpu_seconds = cpu_seconds
        # From the first look: most tasks are done before, and asking the kernel has a price.
        self._had_deadline: float | None = None
        self._next = self._look_in(cpu_seconds)

    def stop(self) -> None:
        self._next.cancel()

    def _look_in(self, seconds: float) -> asyncio.TimerHandle:
        # A child with one thread cannot use so many seconds of CPU in less wall time.
        return asyncio.get_running_loop().call_later(max(seconds, SHORTEST_WATCH_S), self._look)

    def _look(self) -> None:
        if self._answer.done():
            return
        try:
            left = self._judge()
        except GradingError as error:
            self._answer.set_exception(error)
        else:
            self._next = self._look_in(left)

    def _judge(self) -> float:
        """Return the CPU seconds that are left."""
        left = self._cpu_limit - self._child.cpu_clock()
        if left <= 0:
            raise WorkerBudgetError(
                f"task {self._work.task!r} used up its {self._cpu_seconds:g} s of CPU time", limit=Limit.CPU
            )
        had = time.monotonic() - self._child.queued_seconds()
        wall_seconds = WALL_FACTOR * self._work.cpu_seconds
        if self._had_deadline is None:
            self._had_deadline = had + wall_seconds
        elif had > self._had_deadline:
            raise GraderLostError(
                f"task {self._work.task!r} had {self._cpu_seconds - left:.2f} s of CPU time "
                f"in {wall_seconds:g} s in which it could have had it"
            )
        return left
