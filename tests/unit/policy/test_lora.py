"""Adapters: nothing changes until they are trained; saved, loaded and merged they compute the same."""

import json
from collections.abc import Callable
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import safetensors.numpy
from flax import nnx

from policy.errors import PolicyError
from policy.gemma import Gemma3, load_pretrained
from policy.lora import (
    LoraShape,
    apply_lora,
    load_lora,
    read_adapters,
    read_shape,
    save_lora,
)
from policy.tensors import to_tensors

Logits = Callable[[Gemma3], np.ndarray]
SHAPE = LoraShape(rank=4, alpha=8.0)


@pytest.fixture(scope="module")
def trained(base: Gemma3, mesh: jax.sharding.Mesh) -> Gemma3:
    """Adapters that are not zero, as if they had been trained."""
    policy = apply_lora(base, SHAPE, seed=1, mesh=mesh)
    for index, (_, adapter) in enumerate(nnx.to_flat_state(nnx.state(policy, nnx.LoRAParam))):
        adapter[...] = 0.1 * jax.random.normal(jax.random.key(index), adapter[...].shape)
    return policy


def test_fresh_adapters_change_nothing(base: Gemma3, mesh: jax.sharding.Mesh, logits_of: Logits) -> None:
    np.testing.assert_array_equal(logits_of(apply_lora(base, SHAPE, seed=1, mesh=mesh)), logits_of(base))


def test_a_policy_shares_the_frozen_weights_of_its_base(base: Gemma3, trained: Gemma3) -> None:
    frozen = nnx.state(trained, nnx.All(nnx.Param, nnx.Not(nnx.LoRAParam)))
    pairs = zip(jax.tree.leaves(frozen), jax.tree.leaves(nnx.state(base, nnx.Param)), strict=True)

    assert all(ours.unsafe_buffer_pointer() == theirs.unsafe_buffer_pointer() for ours, theirs in pairs)


def test_loaded_adapters_compute_equal_logits(
    base: Gemma3, trained: Gemma3, mesh: jax.sharding.Mesh, logits_of: Logits, tmp_path: Path
) -> None:
    save_lora(trained, SHAPE, tmp_path, base="somewhere")
    again = apply_lora(base, read_shape(tmp_path), seed=99, mesh=mesh)
    load_lora(again, tmp_path)

    assert np.abs(logits_of(trained) - logits_of(base)).max() > 0.01
    np.testing.assert_array_equal(logits_of(again), logits_of(trained))


def test_saved_adapters_are_in_pefts_form(trained: Gemma3, tmp_path: Path) -> None:
    save_lora(trained, SHAPE, tmp_path, base="google/gemma-3-1b-it")
    tensors = safetensors.numpy.load_file(tmp_path / "adapter_model.safetensors")
    config = json.loads((tmp_path / "adapter_config.json").read_text())

    prefix = "base_model.model.model.layers.0.self_attn"
    assert tensors[f"{prefix}.q_proj.lora_A.weight"].shape == (4, 32)
    assert tensors[f"{prefix}.q_proj.lora_B.weight"].shape == (4 * 16, 4)
    assert tensors[f"{prefix}.v_proj.lora_B.weight"].shape == (16, 4)
    assert tensors[f"{prefix}.o_proj.lora_A.weight"].shape == (4, 4 * 16)
    assert len(tensors) == 2 * 7 * 2
    assert (config["peft_type"], config["r"], config["lora_alpha"]) == ("LORA", 4, 8.0)
    assert config["target_modules"] == sorted(
        ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
    )


def test_merged_weights_compute_the_policys_logits(
    base: Gemma3,
    trained: Gemma3,
    model_dir: Path,
    mesh: jax.sharding.Mesh,
    logits_of: Logits,
    tmp_path: Path,
) -> None:
    save_lora(trained, SHAPE, tmp_path, base="x")
    adapters = read_adapters(tmp_path)
    merged = {name: adapters.merged(name, weight) for name, weight in to_tensors(base).items()}
    safetensors.numpy.save_file(merged, model_dir / "model.safetensors")

    loaded = load_pretrained(model_dir, dtype=jnp.float32, mesh=mesh)
    np.testing.assert_allclose(logits_of(loaded), logits_of(trained), atol=1e-5)


def test_adapters_of_another_rank_are_refused(
    base: Gemma3, trained: Gemma3, mesh: jax.sharding.Mesh, tmp_path: Path
) -> None:
    save_lora(trained, SHAPE, tmp_path, base="x")
    other = apply_lora(base, LoraShape(rank=2, alpha=8.0), seed=0, mesh=mesh)

    with pytest.raises(PolicyError, match="does not fit the model"):
        load_lora(other, tmp_path)


def test_an_unfinished_run_is_named_as_such(tmp_path: Path) -> None:
    with pytest.raises(PolicyError, match="has the run finished"):
        read_shape(tmp_path)


def test_adapters_over_a_bfloat16_base_are_float32(model_dir: Path, mesh: jax.sharding.Mesh) -> None:
    policy = apply_lora(load_pretrained(model_dir, dtype=jnp.bfloat16, mesh=mesh), SHAPE, seed=0, mesh=mesh)

    assert {leaf.dtype for leaf in jax.tree.leaves(nnx.state(policy, nnx.LoRAParam))} == {
        jnp.dtype("float32")
    }
    frozen = nnx.state(policy, nnx.All(nnx.Param, nnx.Not(nnx.LoRAParam)))
    assert {leaf.dtype for leaf in jax.tree.leaves(frozen)} == {jnp.dtype("bfloat16")}
