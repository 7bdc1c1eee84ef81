"""Model FLOPs: against what XLA counts, against the rule of 2 N, and the window's share."""

import jax
import jax.numpy as jnp
import pytest
from flax import nnx

from policy.flops import model_flops_per_token, peak_flops
from policy.gemma import Gemma3, ModelConfig, on
from policy.lora import LoraShape


def test_the_1b_needs_twice_its_parameters_and_a_little_attention() -> None:
    flops = model_flops_per_token(ModelConfig.gemma3_1b_it(), context=1024)

    assert flops.forward == pytest.approx(2 * 999_885_952, rel=0.06)
    assert flops.forward > 2 * 999_885_952 * 0.999


def test_adapters_count_by_their_parameters() -> None:
    flops = model_flops_per_token(ModelConfig.gemma3_1b_it(), context=1024, lora=LoraShape(rank=16))

    assert flops.adapters == 2 * 12_566_528
    assert flops.update == 2 * flops.forward + 3 * flops.adapters
    assert flops.grpo() - flops.grpo(reference=False) == flops.forward


@pytest.mark.parametrize(("context", "attended"), [(8, 4.5), (16, (8 * 9 / 2 + 8 * 8) / 16)])
def test_local_layers_attend_to_no_more_than_their_window(context: int, attended: float) -> None:
    config = ModelConfig(
        num_layers=5,
        num_embed=1,
        embed_dim=0,
        hidden_dim=0,
        num_heads=1,
        head_dim=1,
        num_kv_heads=1,
        sliding_window_size=8,
    )

    assert model_flops_per_token(config, context=context).forward == pytest.approx(5 * 4 * attended)


def test_the_count_is_xlas_but_for_what_is_no_matrix_product(base: Gemma3, mesh: jax.sharding.Mesh) -> None:
    """XLA counts whole attention matrices, and norms, rotations and softmax, which are large in so small a
    model."""
    length = 24
    tokens = jnp.ones((1, length), jnp.int32)
    causal = jnp.tril(jnp.ones((1, length, length), bool))
    graph, state = nnx.split(base)
    with on(mesh):
        lowered = jax.jit(
            lambda weights: nnx.merge(graph, weights)(tokens, jnp.arange(length)[None], None, causal)[0]
        ).lower(state)
    cost = lowered.compile().cost_analysis()
    counted = cost["flops"] / length

    ours = model_flops_per_token(base.config, context=length).forward
    assert ours < counted < 1.3 * ours


def test_an_unknown_device_has_no_peak() -> None:
    assert peak_flops("cpu") is None


def test_both_names_of_a_tpu_have_one_peak() -> None:
    assert peak_flops("TPU v5 lite") == peak_flops("TPU v5e") == 197e12
