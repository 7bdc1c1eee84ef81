"""Questions share batches where that changes nothing, and no question is lost."""

import asyncio
from collections.abc import Sequence

import pytest

from evals.asking.models import Answer
from evals.serving.batcher import Asked, Batcher


class Model:
    """Remembers its batches; answers with the prompt in capitals."""

    def __init__(self, *, breaks_at: str = "") -> None:
        self.batches: list[tuple[list[str], float, int]] = []
        self._breaks_at = breaks_at

    def __call__(self, prompts: Sequence[str], temperature: float, seed: int) -> list[Answer]:
        self.batches.append((list(prompts), temperature, seed))
        if self._breaks_at in prompts:
            raise ValueError("out of memory")
        return [Answer(text=prompt.upper(), truncated=False) for prompt in prompts]


async def asked_at_once(
    model: Model, *questions: tuple[str, float, int | None], rows: int = 4
) -> list[Answer | BaseException]:
    batcher = Batcher(model, rows=rows)
    asking = [
        batcher.ask(Asked(prompt=prompt, temperature=temperature, seed=seed))
        for prompt, temperature, seed in questions
    ]
    answers = asyncio.gather(*asking, return_exceptions=True)
    await asyncio.sleep(0)  # all of them wait before the first batch is taken
    async with batcher.running():
        return await answers


async def test_greedy_questions_share_batches_of_at_most_the_rows() -> None:
    model = Model()

    answers = await asked_at_once(model, *((letter, 0.0, None) for letter in "abcdef"))

    assert [answer.text for answer in answers if isinstance(answer, Answer)] == list("ABCDEF")
    assert [batch for batch, _, _ in model.batches] == [list("abcd"), list("ef")]


async def test_a_seed_has_a_batch_of_its_own() -> None:
    model = Model()

    await asked_at_once(model, ("a", 1.0, 7), ("b", 1.0, 7), ("c", 1.0, None), ("d", 1.0, None))

    assert model.batches[0] == (["a"], 1.0, 7)
    assert model.batches[1] == (["b"], 1.0, 7)
    assert model.batches[2][0] == ["c", "d"]


async def test_unseeded_batches_differ_in_their_seed() -> None:
    model = Model()

    await asked_at_once(model, *((letter, 1.0, None) for letter in "abc"), rows=1)

    assert len({seed for _, _, seed in model.batches}) == 3


async def test_temperatures_do_not_mix() -> None:
    model = Model()

    await asked_at_once(model, ("a", 0.0, 1), ("b", 0.5, None), ("c", 0.0, 2))

    assert [batch for batch, _, _ in model.batches] == [["a", "c"], ["b"]]


async def test_a_batch_that_fails_fails_its_callers_and_no_others() -> None:
    model = Model(breaks_at="b")

    answers = await asked_at_once(model, ("a", 1.0, 1), ("b", 1.0, 2), ("c", 1.0, 3))

    assert [type(answer) for answer in answers] == [Answer, ValueError, Answer]


async def test_a_caller_that_left_is_not_answered_for() -> None:
    model = Model()
    batcher = Batcher(model, rows=4)
    gone = asyncio.create_task(batcher.ask(Asked(prompt="gone", temperature=0.0, seed=None)))
    await asyncio.sleep(0)
    gone.cancel()
    await asyncio.gather(gone, return_exceptions=True)

    async with batcher.running():
        await batcher.ask(Asked(prompt="here", temperature=0.0, seed=None))

    assert model.batches == [(["here"], 0.0, 0)]


async def test_stopping_leaves_nobody_waiting() -> None:
    batcher = Batcher(Model(), rows=4)
    waiting = asyncio.create_task(batcher.ask(Asked(prompt="a", temperature=0.0, seed=None)))
    await asyncio.sleep(0)

    async with batcher.running():
        pass

    with pytest.raises(asyncio.CancelledError):
        await waiting
