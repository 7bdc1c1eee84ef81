"""Answers are had once, remembered, and counted where there are none."""

from collections.abc import Callable, Collection, Sequence
from pathlib import Path

import pytest

from evals.asking.asker import TOO_LONG, UNANSWERED, ask
from evals.asking.completions import Answered, Sampling
from evals.asking.generations import Generations, key_of
from evals.asking.models import Answer, Question
from tests.unit.evals.graded_examples import example

GREEDY = Sampling(samples=1, temperature=0.0, seed=0, max_new_tokens=8)
DRAWN = Sampling(samples=3, temperature=1.0, seed=0, max_new_tokens=8)


class Model:
    """Answers with the prompt and the sample's number, is asked in `asked`, and may break off."""

    name = "model"
    prompt_hash = None
    max_new_tokens = 8

    def __init__(self, *, identity: str = "m", breaks_after: int = 10**6, silent: str = "-") -> None:
        self.identity = identity
        self.asked: list[Question] = []
        self._breaks_after = breaks_after
        self._silent = silent

    def takes(self, prompt: str) -> bool:
        return len(prompt) < 20

    def answer(
        self,
        questions: Sequence[Question],
        *,
        missing: Collection[int],
        sampling: Sampling,
        on_answer: Callable[[int, Answer], None],
    ) -> None:
        for index in sorted(missing):
            if len(self.asked) >= self._breaks_after:
                raise KeyboardInterrupt
            question = questions[index]
            self.asked.append(question)
            if self._silent not in question.prompt:
                text = f"{question.prompt}/{question.sample_index}"
                on_answer(index, Answer(text=text, truncated=question.sample_index == 1))


def asked(model: Model, directory: Path, names: Sequence[str], sampling: Sampling = GREEDY) -> Answered:
    with Generations(directory, model) as known:
        return ask(
            model,
            [example(name) for name in names],
            sampling=sampling,
            known=known,
            on_progress=lambda done, total: None,
        )


def test_samples_come_in_the_order_of_the_questions(tmp_path: Path) -> None:
    found = asked(Model(), tmp_path, "ab", DRAWN)

    assert found.completions == tuple(
        tuple(f"question {name}/{index}" for index in range(3)) for name in "ab"
    )
    assert found.truncated == 2


def test_what_was_answered_is_not_asked_again(tmp_path: Path) -> None:
    first, again = Model(), Model()
    asked(first, tmp_path, "ab")

    found = asked(again, tmp_path, "abc")

    assert [question.prompt for question in again.asked] == ["question c"]
    assert len(found.completions) == 3


def test_an_interruption_costs_no_answer(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        asked(Model(breaks_after=2), tmp_path, "abcd")
    rest = Model()

    found = asked(rest, tmp_path, "abcd")

    assert [question.prompt[-1] for question in rest.asked] == ["c", "d"]
    assert [texts[0] for texts in found.completions] == [f"question {name}/0" for name in "abcd"]


@pytest.mark.parametrize(
    ("model", "sampling"),
    [
        (Model(identity="other"), GREEDY),
        (Model(), Sampling(samples=1, temperature=0.5, seed=0, max_new_tokens=8)),
        (Model(), Sampling(samples=1, temperature=0.0, seed=0, max_new_tokens=9)),
    ],
    ids=["another model", "another temperature", "another budget"],
)
def test_answers_of_another_model_or_sampling_are_not_taken(
    tmp_path: Path, model: Model, sampling: Sampling
) -> None:
    asked(Model(), tmp_path, "a")

    asked(model, tmp_path, "a", sampling)

    assert len(model.asked) == 1


def test_another_seed_asks_anew_only_where_it_matters() -> None:
    question = Question(prompt="p", sample_index=0)
    seeded = [
        Sampling(samples=1, temperature=heat, seed=seed, max_new_tokens=8)
        for heat in (0.0, 1.0)
        for seed in (1, 2)
    ]
    keys = [key_of(Model(), question, sampling) for sampling in seeded]

    assert keys[0] == keys[1]
    assert keys[2] != keys[3]


def test_a_question_without_an_answer_is_left_out_and_counted_not_wrong(tmp_path: Path) -> None:
    found = asked(Model(silent="b"), tmp_path, ["a", "b", "far too long to be asked"])

    assert [item.example_id[-1] for item in found.examples] == ["a"]
    assert found.left_out == {TOO_LONG: 1, UNANSWERED: 1}


def test_text_that_no_encoding_holds_is_remembered_as_it_was(tmp_path: Path) -> None:
    model = Model()
    with Generations(tmp_path, model) as known:
        known.put("k", Answer(text="half \ud800 \u2028 line", truncated=False))
    with Generations(tmp_path, model) as known:
        assert known.get("k") == Answer(text="half \ud800 \u2028 line", truncated=False)
