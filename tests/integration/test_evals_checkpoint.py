"""Answers come from the checkpoint of a run: a real tiny policy, made here and written as a run is."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from evals.asking.asker import TOO_LONG, ask
from evals.asking.checkpoint import CheckpointModel
from evals.asking.completions import Answered, Sampling
from evals.asking.generations import Generations
from evals.errors import CheckpointError
from tasks.api import Example
from tests.tiny_runs import NEW_TOKENS, TEMPLATE, write_run
from tests.unit.evals.graded_examples import example


@pytest.fixture(scope="module")
def run_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_run(tmp_path_factory.mktemp("run"))


def answers(
    run_dir: Path,
    examples: Sequence[Example],
    known: Path,
    *,
    samples: int = 1,
    temperature: float = 0.0,
    seed: int = 0,
    base: bool = False,
) -> Answered:
    model = CheckpointModel.open(run_dir, base=base)
    sampling = Sampling(
        samples=samples, temperature=temperature, seed=seed, max_new_tokens=model.max_new_tokens
    )
    with Generations(known, model) as generations:
        return ask(
            model, examples, sampling=sampling, known=generations, on_progress=lambda done, total: None
        )


def test_each_example_gets_its_samples_and_prompts_too_long_are_left_out(
    run_dir: Path, tmp_path: Path
) -> None:
    examples = [example("a"), example("too long " * 40), example("b")]

    found = answers(run_dir, examples, tmp_path, samples=3, temperature=1.0)

    assert [item.example_id for item in found.examples] == ["gsm8k/test/a", "gsm8k/test/b"]
    assert [len(texts) for texts in found.completions] == [3, 3]
    assert found.left_out == {TOO_LONG: 1}
    assert found.prompt_hash == TEMPLATE.hash
    assert found.sampling is not None
    assert found.sampling.max_new_tokens == NEW_TOKENS


def test_an_interrupted_evaluation_goes_on_to_the_completions_of_an_unbroken_one(
    run_dir: Path, tmp_path: Path
) -> None:
    examples = [example(str(index)) for index in range(40)]  # 80 completions: two batches
    unbroken = answers(run_dir, examples, tmp_path / "unbroken", samples=2, temperature=1.0)
    (whole,) = (tmp_path / "unbroken").iterdir()
    lines = whole.read_text().splitlines(keepends=True)
    broken = tmp_path / "broken" / whole.name
    broken.parent.mkdir()
    broken.write_text("".join(lines[:50]) + lines[50][:20])  # killed while it wrote the 51st

    resumed = answers(run_dir, examples, broken.parent, samples=2, temperature=1.0)

    assert resumed == unbroken
    assert len(broken.read_text().splitlines()) == 81  # the cut line, and each completion once


def test_sampling_repeats_with_its_seed_and_differs_without(run_dir: Path, tmp_path: Path) -> None:
    examples = [example("a"), example("b")]
    first, again, other = (
        answers(run_dir, examples, tmp_path / place, samples=4, temperature=1.0, seed=seed).completions
        for place, seed in (("first", 1), ("again", 1), ("first", 2))
    )

    assert first == again
    assert first != other
    assert len(set(first[0])) > 1


def test_greedy_fresh_adapters_answer_as_their_base_does_whatever_the_seed(
    run_dir: Path, tmp_path: Path
) -> None:
    examples = [example("a"), example("b")]
    trained = answers(run_dir, examples, tmp_path, seed=1)
    base = answers(run_dir, examples, tmp_path, seed=2, base=True)

    assert trained.completions == base.completions
    assert base.source.endswith("(base)")
    assert len(list(tmp_path.iterdir())) == 2  # adapters and base are not one model


def test_when_every_prompt_is_too_long_nothing_is_sampled(run_dir: Path, tmp_path: Path) -> None:
    found = answers(run_dir, [example("too long " * 40)], tmp_path)

    assert (found.examples, found.completions) == ((), ())


def test_a_directory_without_a_policy_is_named(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"policy\.json"):
        CheckpointModel.open(tmp_path, base=False)
