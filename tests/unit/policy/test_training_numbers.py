"""The numbers of a training step, and what makes them: precision, compilations, finiteness.

Golden numbers: `tests/data/golden_step.json` has those of six steps of the model in
`short_training`. After a change that is meant to move them, write them anew with

    PYTHONPATH=.:proto python tests/unit/policy/short_training.py golden

and say in the commit why they moved.
"""

import json
from pathlib import Path
from typing import Any

import chex
import jax
import jax.numpy as jnp
import jaxtyping
import numpy as np
import pytest
from flax import nnx

from policy.gemma import make_mesh, on
from tests.unit.policy import short_training
from tests.unit.policy.short_training import Ran

STEPS = short_training.STEPS
# Of float32 sums in another order, on another machine: 1e-4 of a number, and where a number is the
# difference of larger ones (the loss of the first steps is one), 1e-6 of these.
RELATIVE, ABSOLUTE = 1e-4, 1e-6
_COMPILED = "/jax/core/compile/backend_compile_duration"


class Compilations:
    """Counts what XLA compiles, by the step in which it does."""

    def __init__(self) -> None:
        self.by_step = [0]
        jax.monitoring.register_event_duration_secs_listener(self._on_event)

    def _on_event(self, event: str, duration: float, **_: Any) -> None:
        self.by_step[-1] += event == _COMPILED

    def next_step(self, step: int) -> None:
        self.by_step.append(0)


@pytest.fixture(scope="module")
def counted(tmp_path_factory: pytest.TempPathFactory) -> tuple[Ran, list[int]]:
    """One run for all tests, and the compilations before and in each of its steps."""
    compilations = Compilations()
    ran = short_training.train(
        tmp_path_factory.mktemp("run"),
        steps=STEPS,
        mesh=make_mesh(fsdp=1, tp=1),
        after_step=compilations.next_step,
    )
    # Tunix clears all listeners when its cluster is closed.
    return ran, list(compilations.by_step)


@pytest.fixture(scope="module")
def ran(counted: tuple[Ran, list[int]]) -> Ran:
    return counted[0]


def test_steps_have_the_golden_numbers(ran: Ran) -> None:
    golden, found = json.loads(short_training.GOLDEN.read_text()), short_training.told(ran)

    hint = "if this change is meant, see the head of this file"
    assert found["first_completion"] == golden["first_completion"], hint
    chex.assert_trees_all_close(found["numbers"], golden["numbers"], rtol=RELATIVE, atol=ABSOLUTE)
    chex.assert_trees_all_close(found["adapters"], golden["adapters"], rtol=10 * RELATIVE, atol=1e-5)


def test_nothing_is_compiled_after_the_second_step(counted: tuple[Ran, list[int]]) -> None:
    """Sampling, log-probabilities and update keep their shapes, whatever the completions' lengths."""
    ran, by_step = counted

    assert len({len(tokens) for step in ran.sampled[2:] for tokens in step}) > 1
    assert by_step[0] > 0
    assert by_step[2:] == [0] * (STEPS - 1)


def test_every_weight_and_moment_stays_finite_and_only_adapters_move(ran: Ran) -> None:
    trainer = ran.learner.rl_cluster.actor_trainer
    chex.assert_tree_all_finite(jax.tree.leaves(nnx.state(trainer.model, nnx.LoRAParam)))
    chex.assert_tree_all_finite([x for x in jax.tree.leaves(nnx.state(trainer.optimizer)) if x.ndim])
    frozen = nnx.state(ran.models.policy, nnx.All(nnx.Param, nnx.Not(nnx.LoRAParam)))
    before = nnx.state(ran.models.reference, nnx.Param)

    chex.assert_trees_all_equal(jax.tree.leaves(frozen), jax.tree.leaves(before))
    assert max(abs(step["grad_norm"]) for step in ran.numbers) > 0


def test_what_a_step_learns_has_the_documented_shapes(ran: Ran) -> None:
    for graded in ran.steps[-1].learned:
        chex.assert_shape([graded.advantages, graded.in_loss], (4,))
        chex.assert_type([graded.advantages, graded.in_loss], [np.float32, np.bool_])
        chex.assert_shape(graded.graded.group.prompt_tokens, (short_training.MAX_PROMPT,))
        assert len(graded.graded.group.completions) == 4


def test_logits_have_the_shapes_that_the_model_documents(ran: Ran, mesh: jax.sharding.Mesh) -> None:
    @jaxtyping.jaxtyped(typechecker=None)
    def checked(tokens: jax.Array, logits: jax.Array) -> None:
        assert isinstance(tokens, jaxtyping.Int[jax.Array, "rows length"])
        assert isinstance(logits, jaxtyping.Float[jax.Array, "rows length vocabulary"])

    tokens = jnp.ones((2, 5), jnp.int32)
    causal = jnp.tril(jnp.ones((2, 5, 5), bool))
    with on(mesh):
        logits, _ = ran.models.policy(tokens, jnp.arange(5)[None], None, causal)

    checked(tokens, logits)
    with pytest.raises(AssertionError):
        checked(tokens[:, :4], logits)


def test_a_bfloat16_base_trains_float32_adapters_to_nearly_the_same_numbers(ran: Ran, tmp_path: Path) -> None:
    half = short_training.train(tmp_path, steps=1, mesh=make_mesh(fsdp=1, tp=1), dtype=jnp.bfloat16)

    adapters = jax.tree.leaves(nnx.state(half.models.policy, nnx.LoRAParam))
    moments = [
        x for x in jax.tree.leaves(nnx.state(half.learner.rl_cluster.actor_trainer.optimizer)) if x.ndim
    ]
    assert {x.dtype for x in (*adapters, *moments)} == {jnp.dtype("float32")}
    assert {x.dtype for x in jax.tree.leaves(nnx.state(half.models.reference))} == {jnp.dtype("bfloat16")}
    chex.assert_tree_all_finite(adapters)
    # 2^-8 is the rounding of a bfloat16 weight; the first gradient is a mean over hundreds of tokens.
    assert half.numbers[0]["grad_norm"] == pytest.approx(ran.numbers[0]["grad_norm"], rel=0.2)
    assert half.numbers[0]["entropy"] == pytest.approx(ran.numbers[0]["entropy"], rel=0.02)
