"""Answers from the policy of a training run.

The only file of evaluations that needs JAX: import it where a checkpoint is sampled.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

import jax

from evals.completions import Answered, Sampling
from evals.errors import CheckpointError
from policy.checkpoint import Policy, open_policy
from policy.gemma import PolicyError
from tasks.api import Example
from tasks.prompts import PromptTemplate

_ROWS = 64  # prompts of a batch: its shape is compiled once


def answer(
    run_dir: Path,
    examples: Sequence[Example],
    *,
    samples: int,
    temperature: float,
    seed: int,
    base: bool,
    on_answered: Callable[[int, int], None],
) -> Answered:
    """Sample completions from the policy of `run_dir`, or from its `base` without the adapters.

    Examples whose prompt is longer than the policy takes are left out and counted.
    `on_answered(done, total)` is called after each batch, in completions.

    Raises:
        CheckpointError: the directory holds no policy, or one that this code cannot use.
    """
    try:
        policy = open_policy(
            run_dir, hash_of=lambda system: PromptTemplate(system=system).hash, trained=not base
        )
        asked, prompts = _fitting(policy, examples)
        texts, truncated = _sample(
            policy, prompts, samples=samples, temperature=temperature, seed=seed, on_answered=on_answered
        )
    except PolicyError as error:
        raise CheckpointError(str(error)) from error
    too_long = len(examples) - len(asked)
    return Answered(
        source=f"{run_dir} (base)" if base else str(run_dir),
        examples=asked,
        completions=texts,
        left_out={"prompt longer than the policy takes": too_long} if too_long else {},
        truncated=truncated,
        prompt_hash=policy.record.prompt_hash,
        sampling=Sampling(
            samples=samples,
            temperature=temperature,
            seed=seed,
            max_new_tokens=policy.record.max_new_tokens,
        ),
    )


def _fitting(policy: Policy, examples: Sequence[Example]) -> tuple[tuple[Example, ...], list[str]]:
    """Render the prompts and keep the examples whose prompt the policy takes."""
    template = PromptTemplate(system=policy.record.system)
    rendered = [(example, template.render(example.prompt)) for example in examples]
    limit = policy.record.max_prompt_tokens
    fitting = [pair for pair in rendered if policy.tokenizer.prompt_length(pair[1]) <= limit]
    return tuple(example for example, _ in fitting), [prompt for _, prompt in fitting]


def _sample(
    policy: Policy,
    prompts: Sequence[str],
    *,
    samples: int,
    temperature: float,
    seed: int,
    on_answered: Callable[[int, int], None],
) -> tuple[tuple[tuple[str, ...], ...], int]:
    """Sample `samples` texts of each prompt, and count the truncated ones."""
    repeated = [prompt for prompt in prompts for _ in range(samples)]
    if not repeated:
        return (), 0
    generator = policy.generator(rows=min(_ROWS, len(repeated)))
    texts: list[str] = []
    truncated = 0
    for start in range(0, len(repeated), _ROWS):
        key = jax.random.fold_in(jax.random.key(seed), start)
        batch = generator.generate(repeated[start : start + _ROWS], temperature=temperature, key=key)
        texts += [completion.text for completion in batch]
        truncated += sum(completion.truncated for completion in batch)
        on_answered(len(texts), len(repeated))
    return tuple(tuple(texts[start : start + samples]) for start in range(0, len(texts), samples)), truncated
