"""Questions that arrive one by one, answered in batches by a model that takes one batch at a time.

Greedy and unseeded questions of one temperature share a batch. A seeded one has a batch
of its own, so that the same seed gives the same text whoever else is asking.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from evals.asking.models import Answer

Generate = Callable[[Sequence[str], float, int], Sequence[Answer]]
MOST_WAITING = 1024


class QueueFullError(Exception):
    """As many questions wait as may; ask again later."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """A rendered prompt and how to sample it; a `seed` of None is any."""

    prompt: str
    temperature: float
    seed: int | None
    answer: asyncio.Future[Answer] = field(default_factory=lambda: asyncio.get_running_loop().create_future())

    def shares_batch(self, other: "Asked") -> bool:
        """Say whether both can be answered in one batch."""
        greedy = self.temperature == other.temperature == 0
        return greedy or (self.temperature == other.temperature and self.seed is other.seed is None)


class Batcher:
    """Collects up to `rows` questions, and answers them with `generate(prompts, temperature, seed)`."""

    def __init__(self, generate: Generate, *, rows: int) -> None:
        self._generate = generate
        self._rows = rows
        self._waiting: list[Asked] = []
        self._arrived = asyncio.Event()
        self._unseeded = 0

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[None]:
        """Answer questions inside the block."""
        task = asyncio.create_task(self._run())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            for asked in self._waiting:
                asked.answer.cancel()

    async def ask(self, asked: Asked) -> Answer:
        """Wait for the answer.

        Raises:
            QueueFullError: too many others wait.
            Exception: what `generate` raised for this batch.
        """
        if len(self._waiting) >= MOST_WAITING:
            raise QueueFullError
        self._waiting.append(asked)
        self._arrived.set()
        return await asked.answer

    async def _run(self) -> None:
        while True:
            await self._arrived.wait()
            batch = self._take()
            if not batch:
                self._arrived.clear()
                continue
            await self._answer(batch)

    def _take(self) -> list[Asked]:
        """Take the oldest question and those that can share its batch; the caller may have left."""
        self._waiting = [asked for asked in self._waiting if not asked.answer.done()]
        if not self._waiting:
            return []
        first = self._waiting[0]
        batch = [first, *(asked for asked in self._waiting[1:] if asked.shares_batch(first))][: self._rows]
        self._waiting = [asked for asked in self._waiting if asked not in batch]
        return batch

    async def _answer(self, batch: Sequence[Asked]) -> None:
        seed = batch[0].seed
        if seed is None:
            seed = self._unseeded
            self._unseeded += 1
        prompts = [asked.prompt for asked in batch]
        try:
            answers = await asyncio.to_thread(self._generate, prompts, batch[0].temperature, seed)
        except Exception as error:  # noqa: BLE001 - the callers get it; the server goes on with the next batch
            for asked in batch:
                if not asked.answer.done():
                    asked.answer.set_exception(error)
            return
        for asked, answer in zip(batch, answers, strict=True):
            if not asked.answer.done():
                asked.answer.set_result(answer)
