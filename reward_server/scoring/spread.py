"""Inline work that is too much for the event loop, spread over the workers.

A reward that takes about a millisecond grades on the spot where that is all there is to do. In
a long call, or right after another such sample, it goes to the workers instead: several in one
message, for every message has its price. Nothing depends on it but time: what a worker cannot
grade is graded on the spot after all.
"""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

from reward_server.api import Grade, Reward, Sample
from reward_server.errors import GraderLostError, GradingError
from reward_server.scoring.lanes import note_queued
from reward_server.workers.frames import FrameError
from reward_server.workers.grading import Packed, pack, unpack
from reward_server.workers.pool import WorkerPool

# Together as much work as a quick question of algebra at most, so that one waits no longer for a worker.
CHUNK_SAMPLES = 32
CHUNK_ANSWER_CHARS = 24_000
# A character is twelve bytes of JSON at most: what is larger might not fit into a message.
CHUNK_CHARS = 80_000
# Many times what a message and a sample in it take: whoever needs more is at fault.
MESSAGE_CPU_S = 0.2
SAMPLE_CPU_S = 0.05
# Who sends one sample after the other needs longer for the next; work that waits needs less.
RECENTLY_S = 0.0005

# What came back for a sample: its grade as JSON, None where the worker could not grade it, or why it failed.
_Found = Sequence[Any] | GradingError | None


def places(workers: int) -> int:
    """Return how many messages are with the workers at once, and so how many places their pool needs.

    One more than there are workers: it is worked on while the event loop brings another its next one.
    """
    return workers + 1


def samples_in_flight(workers: int) -> int:
    """Return how many samples leave the queue at once: those with the workers, and those that are next."""
    return 2 * CHUNK_SAMPLES * places(workers)


@dataclass(kw_only=True, slots=True, eq=False)
class _Piece:
    """A sample on its way."""

    task: str
    packed: Packed
    answer_chars: int
    found: "asyncio.Future[Sequence[Any] | None]" = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )


class Spread:
    """Grades samples in workers; an async context manager that leaves nothing behind."""

    def __init__(self, pool: WorkerPool, workers: int) -> None:
        self._workers = pool
        self._free = places(workers)
        # By family, the first to come first: siblings share a prompt or a document, to be read once.
        self._waiting: dict[object, deque[_Piece]] = {}
        self._running: set[asyncio.Task[list[_Found]]] = set()
        self._will_send = False
        self._spot_ended = float("-inf")

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)

    def grade(self, reward: Reward, sample: Sample, answer: str, *, alone: bool) -> Grade | Awaitable[Grade]:
        """Ask the reward on the spot, or have its task do it in a worker.

        `alone` says that the sample's call is a short one. Raises what the reward raises, also
        (from the awaitable) GraderTimeoutError: the worker ran out of its budget.
        """
        task = reward.info.worker_task
        if not task:
            return reward.grade(sample, answer)
        idle = alone and time.perf_counter() - self._spot_ended > RECENTLY_S
        packed = None if idle or not self._workers.is_ready else pack(sample, answer)
        if packed is None or packed.chars > CHUNK_CHARS:
            try:
                return reward.grade(sample, answer)
            finally:
                self._spot_ended = time.perf_counter()
        return self._grade(reward, sample, answer, _Piece(task=task, packed=packed, answer_chars=len(answer)))

    async def _grade(self, reward: Reward, sample: Sample, answer: str, piece: _Piece) -> Grade:
        asked = time.perf_counter()
        family = (sample.reward, sample.group_id) if sample.group_id else piece
        self._waiting.setdefault(family, deque()).append(piece)
        if not self._will_send:
            self._will_send = True  # in the next turn: what takes off in this one travels together
            asyncio.get_running_loop().call_soon(self._send)
        graded = unpack(await piece.found)
        if graded is not None:
            note_queued(time.perf_counter() - asked - graded.seconds)
            return graded.grade
        again = reward.grade(sample, answer)
        return again if isinstance(again, Grade) else await again

    def _send(self) -> None:
        self._will_send = False
        while self._free and (chunk := self._next_chunk()):
            self._free -= 1
            task = asyncio.create_task(self._run(chunk))
            self._running.add(task)
            task.add_done_callback(lambda ended, chunk=chunk: self._settle(ended, chunk))

    def _next_chunk(self) -> list[_Piece]:
        """Take out what comes next and fits into one message; empty when nothing waits."""
        chunk: list[_Piece] = []
        chars = answer_chars = 0
        while self._waiting and len(chunk) < CHUNK_SAMPLES:
            family, pieces = next(iter(self._waiting.items()))
            piece = pieces[0]
            if not piece.found.done():  # then it was not given up
                chars += piece.packed.chars
                answer_chars += piece.answer_chars
                full = chars > CHUNK_CHARS or answer_chars > CHUNK_ANSWER_CHARS
                if chunk and (full or piece.task != chunk[0].task):
                    break
                chunk.append(piece)
            pieces.popleft()
            if not pieces:
                del self._waiting[family]
        return chunk

    async def _run(self, chunk: Sequence[_Piece]) -> list[_Found]:
        budget_s = MESSAGE_CPU_S + SAMPLE_CPU_S * len(chunk)
        try:
            return await self._workers.run(
                chunk[0].task,
                [piece.packed.content for piece in chunk],
                cpu_seconds=budget_s,
                quick_cpu_seconds=budget_s,  # none of it is slow: it would hold up the others once more
            )
        except (GraderLostError, FrameError):
            return [None] * len(chunk)
        except GradingError as error:
            if len(chunk) == 1:
                return [error]
            # One of them is at fault, and the others must not pay for it.
            return [found for piece in chunk for found in await self._run([piece])]

    def _settle(self, run: asyncio.Task[list[_Found]], chunk: Sequence[_Piece]) -> None:
        """Send the next message, and tell the samples of this one what came of it."""
        self._running.discard(run)
        if run.cancelled():  # at the end, when nobody waits any more
            return
        self._free += 1
        self._send()
        error = run.exception()
        results = [error] * len(chunk) if error is not None else run.result()
        for piece, found in zip(chunk, results, strict=True):
            if piece.found.done():
                continue
            if isinstance(found, BaseException):
                piece.found.set_exception(found)
            else:
                piece.found.set_result(found)
