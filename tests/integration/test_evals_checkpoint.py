"""Answers come from the checkpoint of a run: a real tiny policy, made here and written as a run is."""

from collections.abc import Sequence
from pathlib import Path

import jax
import pytest

from evals.checkpoint import answer
from evals.completions import Answered
from evals.errors import CheckpointError
from policy.checkpoint import PolicyRecord
from policy.gemma import TinyShape, init_tiny, load_pretrained, make_mesh, save_pretrained, tiny_config
from policy.lora import LoraShape, apply_lora, save_lora
from policy.tokenizer import train_tokenizer
from tasks.api import Example
from tasks.prompts import SHORT_SYSTEM, PromptTemplate
from tests.unit.evals.graded_examples import example

TEMPLATE = PromptTemplate(system=SHORT_SYSTEM)
NEW_TOKENS = 8


@pytest.fixture(scope="module")
def run_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An untrained base and fresh adapters, so that both answer, and answer alike."""
    run = tmp_path_factory.mktemp("run")
    base = run / "base"
    texts = [TEMPLATE.render(f"question {n} of {n * 7}") for n in range(200)]
    tokenizer = train_tokenizer(texts, vocabulary=330, directory=base)
    limit = tokenizer.prompt_length(TEMPLATE.render("question b")) + 8
    shape = TinyShape(layers=1, width=16, hidden=32, head_dim=8, context=limit + NEW_TOKENS)
    mesh = make_mesh(fsdp=1, tp=1)
    save_pretrained(init_tiny(tiny_config(shape, vocabulary=tokenizer.vocabulary), seed=0, mesh=mesh), base)
    lora = LoraShape(rank=2, alpha=4.0)
    model = load_pretrained(base, dtype=jax.numpy.float32, mesh=mesh)
    save_lora(apply_lora(model, lora, seed=0, mesh=mesh), lora, run / "lora", base="../base")
    PolicyRecord(
        base="base",
        dtype="float32",
        system=TEMPLATE.system,
        prompt_hash=TEMPLATE.hash,
        max_prompt_tokens=limit,
        max_new_tokens=NEW_TOKENS,
    ).write(run)
    return run


def ask(
    run_dir: Path,
    examples: Sequence[Example],
    *,
    samples: int = 1,
    temperature: float = 0.0,
    seed: int = 0,
    base: bool = False,
) -> Answered:
    return answer(
        run_dir,
        examples,
        samples=samples,
        temperature=temperature,
        seed=seed,
        base=base,
        on_answered=lambda done, total: None,
    )


def test_each_example_gets_its_samples_and_prompts_too_long_are_left_out(run_dir: Path) -> None:
    examples = [example("a"), example("too long " * 40), example("b")]
    seen: list[tuple[int, int]] = []

    found = answer(
        run_dir,
        examples,
        samples=3,
        temperature=1.0,
        seed=0,
        base=False,
        on_answered=lambda done, total: seen.append((done, total)),
    )

    assert [item.example_id for item in found.examples] == ["gsm8k/test/a", "gsm8k/test/b"]
    assert [len(texts) for texts in found.completions] == [3, 3]
    assert found.left_out == {"prompt longer than the policy takes": 1}
    assert found.prompt_hash == TEMPLATE.hash
    assert found.sampling is not None
    assert found.sampling.max_new_tokens == NEW_TOKENS
    assert seen[-1] == (6, 6)


def test_sampling_repeats_with_its_seed_and_differs_without(run_dir: Path) -> None:
    examples = [example("a"), example("b")]
    first, again, other = (
        ask(run_dir, examples, samples=4, temperature=1.0, seed=seed).completions for seed in (1, 1, 2)
    )

    assert first == again
    assert first != other
    assert len(set(first[0])) > 1


def test_greedy_fresh_adapters_answer_as_their_base_does_whatever_the_seed(run_dir: Path) -> None:
    examples = [example("a"), example("b")]
    trained, base = ask(run_dir, examples, seed=1), ask(run_dir, examples, seed=2, base=True)

    assert trained.completions == base.completions
    assert base.source.endswith("(base)")


def test_when_every_prompt_is_too_long_nothing_is_sampled(run_dir: Path) -> None:
    found = ask(run_dir, [example("too long " * 40)])

    assert (found.examples, found.completions) == ((), ())


def test_a_directory_without_a_policy_is_named(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"policy\.json"):
        ask(tmp_path, [example("a")])
