"""The loss of every algorithm, against formulas written out in numpy on a model that is a table."""

from dataclasses import replace
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from tunix.rl import algo_core, common

from trainer.grpo.loss import tunix_config
from trainer.options import GrpoOptions

WORDS, PROMPT, LENGTH = 7, 2, 4
# Two groups of two; completions end with padding (0) at different places.
COMPLETIONS = np.array([[3, 4, 5, 1], [4, 1, 0, 0], [5, 5, 1, 0], [6, 3, 3, 3]], np.int32)
PROMPTS = np.array([[2, 3], [2, 3], [0, 2], [0, 2]], np.int32)
ADVANTAGES = np.array([0.8, -0.8, 1.3, -1.3], np.float32)


class Bigrams(nnx.Module):
    """The next word's logits are a row of a table."""

    def __init__(self, table: np.ndarray) -> None:
        self.table = nnx.Param(jnp.asarray(table))

    def __call__(
        self, tokens: Any, positions: Any = None, cache: Any = None, attention_mask: Any = None
    ) -> tuple[Any, None]:
        return self.table[...][tokens], None


def table(seed: int, scale: float = 1.0) -> np.ndarray:
    return scale * np.random.default_rng(seed).normal(size=(WORDS, WORDS)).astype(np.float32)


def log_probabilities(weights: np.ndarray, temperature: float = 1.0) -> np.ndarray:
    """[completions, LENGTH], in float64 and without Tunix."""
    before = np.concatenate([PROMPTS[:, -1:], COMPLETIONS[:, :-1]], axis=1)
    logits = weights.astype(np.float64)[before] / temperature
    normalised = logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True))
    return np.take_along_axis(normalised, COMPLETIONS[..., None], axis=-1)[..., 0]


POLICY = table(0)
OLD = POLICY + table(1, 0.5)
REFERENCE = POLICY + table(2, 0.3)
ALL = COMPLETIONS != 0


def tunix_loss(options: GrpoOptions, *, old: bool, mask: np.ndarray = ALL) -> tuple[float, dict[str, Any]]:
    config = tunix_config(options)
    config.temperature = options.temperature
    example = common.TrainExample(
        prompt_ids=jnp.asarray(PROMPTS),
        prompt_mask=jnp.asarray(PROMPTS != 0),
        completion_ids=jnp.asarray(COMPLETIONS),
        completion_mask=jnp.asarray(mask),
        advantages=jnp.asarray(ADVANTAGES),
        ref_per_token_logps=jnp.asarray(log_probabilities(REFERENCE, options.temperature), jnp.float32)
        if options.beta
        else None,
        old_per_token_logps=jnp.asarray(log_probabilities(OLD, options.temperature), jnp.float32)
        if old
        else None,
    )
    loss, said = algo_core.grpo_loss_fn(Bigrams(POLICY), example, config, 0, 1)
    return float(loss), said


def numpy_loss(options: GrpoOptions, *, old: bool, mask: np.ndarray = ALL) -> float:
    """The formulas of `trainer.grpo.loss`, token by token."""
    new = log_probabilities(POLICY, options.temperature)
    before = log_probabilities(OLD, options.temperature) if old else new
    reference = log_probabilities(REFERENCE, options.temperature)
    rows: list[list[float]] = []
    for row in range(len(COMPLETIONS)):
        places = [t for t in range(LENGTH) if mask[row, t]]
        logs = [new[row, t] - before[row, t] for t in places]
        if options.ratio == "sequence" and places:
            logs = [sum(logs) / len(logs)] * len(logs)
        losses = []
        for t, log_ratio in zip(places, logs, strict=True):
            ratio, advantage = np.exp(log_ratio), float(ADVANTAGES[row])
            clipped = min(max(ratio, 1 - options.clip_low), 1 + options.clip_high)
            d = reference[row, t] - new[row, t]
            kl = np.exp(d) - d - 1 if options.kl == "k3" else d * d / 2
            losses.append(-min(ratio * advantage, clipped * advantage) + options.beta * kl)
        rows.append(losses)
    with_tokens = [losses for losses in rows if losses]
    match options.loss_mean:
        case "sequence":
            return float(np.mean([np.mean(losses) for losses in with_tokens]))
        case "token":
            return float(np.mean([loss for losses in with_tokens for loss in losses]))
        case "constant":
            return float(np.mean([sum(losses) / LENGTH for losses in with_tokens]))


BASE = GrpoOptions(group_size=2, beta=0.04)
ALGORITHMS = {
    "grpo": BASE,
    "grpo without a reference": replace(BASE, beta=0.0),
    "grpo with the k2 estimate": replace(BASE, beta=1.0, kl="k2"),
    "grpo with the k3 estimate": replace(BASE, beta=1.0, kl="k3"),
    "grpo at another temperature": replace(BASE, temperature=0.7),
    "dr. grpo": replace(BASE, beta=0.0, advantage="mean", loss_mean="constant"),
    "dapo": replace(BASE, beta=0.0, clip_high=0.28, loss_mean="token", iterations=2),
    "gspo": replace(BASE, ratio="sequence", clip_low=0.02, clip_high=0.04, iterations=2),
}


@pytest.mark.parametrize("old", [False, True], ids=["on policy", "off policy"])
@pytest.mark.parametrize("name", ALGORITHMS)
def test_the_loss_is_that_of_the_formula(name: str, old: bool) -> None:
    loss, _ = tunix_loss(ALGORITHMS[name], old=old)

    assert loss == pytest.approx(numpy_loss(ALGORITHMS[name], old=old), abs=1e-5)


def test_the_cases_reach_the_clip_on_both_sides() -> None:
    ratios = np.exp(log_probabilities(POLICY) - log_probabilities(OLD))[ALL]

    assert (ratios < 1 - BASE.clip_low).any()
    assert (ratios > 1 + ALGORITHMS["dapo"].clip_high).any()


def test_a_higher_clip_changes_the_loss() -> None:
    higher = replace(BASE, clip_high=0.9)

    assert tunix_loss(higher, old=True)[0] != pytest.approx(tunix_loss(BASE, old=True)[0], abs=1e-4)


@pytest.mark.parametrize("loss_mean", ["sequence", "token", "constant"])
def test_a_masked_completion_is_absent_from_loss_and_mean(loss_mean: Any) -> None:
    options = replace(BASE, loss_mean=loss_mean)
    mask = ALL & np.array([True, True, True, False])[:, None]
    loss, said = tunix_loss(options, old=True, mask=mask)

    assert loss == pytest.approx(numpy_loss(options, old=True, mask=mask), abs=1e-5)
    assert loss != pytest.approx(numpy_loss(options, old=True), abs=1e-3)
    assert np.isfinite(float(said["kl"]))


def test_a_batch_that_is_masked_out_altogether_has_no_loss() -> None:
    loss, said = tunix_loss(BASE, old=True, mask=np.zeros_like(ALL))

    assert (loss, float(said["kl"])) == (0.0, 0.0)


def test_on_its_own_samples_the_ratio_is_one_so_that_clip_and_ratio_change_nothing() -> None:
    """Why `trainer.rules` refuses these without several updates."""
    gradients = [
        nnx.grad(lambda model, o=options: _loss_of(model, o))(Bigrams(POLICY))["table"][...]
        for options in (BASE, replace(BASE, clip_high=0.9), replace(BASE, ratio="sequence"))
    ]

    np.testing.assert_allclose(gradients[1], gradients[0], atol=1e-6)
    np.testing.assert_allclose(gradients[2], gradients[0], atol=1e-6)


def _loss_of(model: Bigrams, options: GrpoOptions) -> Any:
    config = tunix_config(options)
    config.temperature = options.temperature
    example = common.TrainExample(
        prompt_ids=jnp.asarray(PROMPTS),
        prompt_mask=jnp.asarray(PROMPTS != 0),
        completion_ids=jnp.asarray(COMPLETIONS),
        completion_mask=jnp.asarray(ALL),
        advantages=jnp.asarray(ADVANTAGES),
        ref_per_token_logps=jnp.asarray(log_probabilities(REFERENCE), jnp.float32),
        old_per_token_logps=None,
    )
    return algo_core.grpo_loss_fn(model, example, config, 0, 1)[0]
