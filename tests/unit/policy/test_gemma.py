"""The model: tiny from nothing, the real 1B by its shapes, and the hub's form on disk."""

from collections.abc import Callable
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import qwix
import safetensors.numpy
from flax import nnx

from policy import lora
from policy.errors import PolicyError
from policy.gemma import Gemma3, ModelConfig, load_pretrained, make_mesh, read_config, resolve_model

Logits = Callable[[Gemma3], np.ndarray]


def count(state: nnx.State) -> int:
    return sum(int(np.prod(leaf.shape)) for leaf in jax.tree.leaves(state))


@pytest.fixture(scope="module")
def one_billion() -> Gemma3:
    """Gemma 3 1B with rank-16 adapters, as shapes alone."""

    def build() -> Gemma3:
        base = Gemma3(ModelConfig.gemma3_1b_it(), rngs=nnx.Rngs(0))
        provider = qwix.LoraProvider(module_path=lora.TARGETS, rank=16, alpha=32.0)
        return qwix.apply_lora_to_model(base, provider, rngs=nnx.Rngs(0), **base.get_model_input())

    return nnx.eval_shape(build)


def test_the_1b_has_a_billion_parameters_and_the_recipes_adapters(one_billion: Gemma3) -> None:
    everything, adapters = (
        count(nnx.state(one_billion, nnx.Param)),
        count(nnx.state(one_billion, nnx.LoRAParam)),
    )

    assert everything - adapters == 999_885_952
    assert adapters == 12_566_528


def test_the_1b_has_adapters_on_all_six_projections_of_every_layer(one_billion: Gemma3) -> None:
    paths = [path for path, _ in nnx.to_flat_state(nnx.state(one_billion, nnx.LoRAParam))]

    targets = {path[-2] for path in paths}
    assert targets == {"q_einsum", "kv_einsum", "attn_vec_einsum", "gate_proj", "up_proj", "down_proj"}
    assert len(paths) == 26 * 6 * 2


def test_the_1b_is_sharded_over_both_axes_of_eight_devices(one_billion: Gemma3) -> None:
    mesh = jax.sharding.AbstractMesh((2, 4), ("fsdp", "tp"))
    state = nnx.state(one_billion, nnx.Param)
    shapes = dict(nnx.to_flat_state(state))
    shardings = dict(nnx.to_flat_state(nnx.get_named_sharding(state, mesh)))

    local = {
        path: sharding.get_value().shard_shape(shapes[path].shape) for path, sharding in shardings.items()
    }
    assert local["embedder", "input_embedding"] == (262_144 // 4, 1152 // 2)
    assert local["layers", 0, "attn", "q_einsum", "w"] == (1, 1152 // 2, 256)
    assert local["layers", 25, "mlp", "gate_proj", "kernel"] == (1152 // 2, 6912 // 4)
    assert local["layers", 25, "mlp", "gate_proj", "kernel_lora_a"] == (1152 // 2, 16)
    per_device = sum(int(np.prod(shape)) for shape in local.values())
    assert per_device < 1.05 * 1_012_452_480 / 8 + 26 * 2 * 1152 * 256


def test_a_tiny_model_has_no_dead_mlp(base: Gemma3) -> None:
    kernels = [v for path, v in nnx.to_flat_state(nnx.state(base)) if path[-1] == "kernel"]

    assert len(kernels) == 2 * 3
    assert all(float(jnp.abs(kernel[...]).min()) < float(jnp.abs(kernel[...]).max()) for kernel in kernels)


def test_a_saved_model_has_the_hubs_names_and_loads_to_equal_logits(
    base: Gemma3, model_dir: Path, mesh: jax.sharding.Mesh, logits_of: Logits
) -> None:
    names = set(safetensors.numpy.load_file(model_dir / "model.safetensors"))
    loaded = load_pretrained(model_dir, dtype=jnp.float32, mesh=mesh)

    assert {
        "model.embed_tokens.weight",
        "model.norm.weight",
        "model.layers.1.self_attn.k_proj.weight",
        "model.layers.1.self_attn.q_norm.weight",
        "model.layers.1.pre_feedforward_layernorm.weight",
        "model.layers.1.mlp.down_proj.weight",
    } <= names
    assert len(names) == 2 + 2 * 13
    np.testing.assert_array_equal(logits_of(loaded), logits_of(base))


def test_the_written_config_reads_back_as_the_same_architecture(base: Gemma3, model_dir: Path) -> None:
    assert read_config(model_dir).num_heads == base.config.num_heads
    assert read_config(model_dir).sliding_window_size == base.config.sliding_window_size
    assert read_config(model_dir).hidden_dim == base.config.hidden_dim


def test_a_directory_without_a_model_says_what_belongs_there(tmp_path: Path) -> None:
    with pytest.raises(PolicyError, match=r"no config.json in .*put the checkpoint's files there"):
        resolve_model(str(tmp_path))


def test_an_unreachable_hub_is_an_error_that_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    import huggingface_hub.constants

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)

    with pytest.raises(PolicyError, match=r"google/gemma-3-1b-it.*--model.pretrained"):
        resolve_model("google/gemma-3-1b-it")


def test_a_mesh_larger_than_the_machine_is_refused() -> None:
    with pytest.raises(PolicyError, match=r"fsdp=64 x tp=2 needs 128 devices"):
        make_mesh(fsdp=64, tp=2)
    with pytest.raises(PolicyError, match=r"fsdp=1 x tp=1 needs 1 devices, found 0 behind the first 64"):
        make_mesh(fsdp=1, tp=1, first=64)
