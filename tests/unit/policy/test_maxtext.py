"""MaxText's model against Tunix's: the same files, the same tokens, the same logits (`make maxtext-check`).

Weights are random; seven layers, a window of 8 and sequences of 40, so that local and global
layers, left padding and windows all count.
"""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import safetensors.numpy
from flax import nnx
from tunix.models.gemma3 import model as gemma3
from tunix.sft import utils as sft_utils

from policy import maxtext_source
from policy.errors import PolicyError
from policy.export import write_merged
from policy.gemma import TinyShape, load_pretrained, on, tiny_config
from policy.lora import LoraShape, apply_lora, load_lora, save_lora
from policy.sampling import GenerationShape, Generator
from policy.sources import load_base, make_generator
from policy.tokenizer import Tokenizer
from policy.uncached import UncachedGenerator
from tests.unit.policy import random_files, short_training
from trainer.grpo.assembly import Models

# MaxText's, Orbax's and Flax's own; they are of a newer JAX than the rest of the project is tested with.
pytestmark = pytest.mark.filterwarnings("ignore")

WINDOW, LENGTH, VOCABULARY = 8, 40, 320
# Rounding of float32 sums in two orders through seven layers; 26 are seen, a wrong window is a million.
FLOAT32_EPSILONS = 64
LORA = LoraShape(rank=4, alpha=8.0)
# The root of the width is a power of two, so that MaxText's output embedding loses nothing to bfloat16.
BASE = replace(
    tiny_config(TinyShape(layers=7, width=64, hidden=96, head_dim=16, context=WINDOW), vocabulary=VOCABULARY),
    global_base_frequency=1_000_000,
)
SHAPES: Mapping[str, gemma3.ModelConfig] = {
    "1B": BASE,
    # Two query heads to a KV head, and positions of global layers divided by 8.
    "4B": replace(BASE, num_kv_heads=2, global_scale_factor=8.0),
    # Queries scaled by width / heads in place of the head size.
    "27B": replace(
        BASE,
        num_kv_heads=2,
        head_dim=32,
        query_pre_attn_norm=gemma3.QueryPreAttentionNormalisation.BY_ONE_OVER_SQRT_EMBED_DIM_DIV_NUM_HEADS,
    ),
}


@pytest.fixture(scope="module", autouse=True)
def installed() -> None:
    """A skip in CI too: MaxText cannot be in the environment of the other tests."""
    try:
        maxtext_source.check_installed()
    except PolicyError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module", params=SHAPES)
def files(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return random_files.write(tmp_path_factory.mktemp(request.param), SHAPES[request.param])


@pytest.fixture(scope="module")
def one_billion(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return random_files.write(tmp_path_factory.mktemp("base"), BASE)


@pytest.fixture(scope="module")
def policy(one_billion: Path, mesh: jax.sharding.Mesh) -> Any:
    """MaxText's model with adapters that are not zero, as if they had been trained."""
    model = apply_lora(maxtext(one_billion, mesh), LORA, seed=1, mesh=mesh)
    for index, (_, adapter) in enumerate(nnx.to_flat_state(nnx.state(model, nnx.LoRAParam))):
        adapter[...] = 0.1 * jax.random.normal(jax.random.key(index), adapter[...].shape)
    return model


def maxtext(directory: Path, mesh: jax.sharding.Mesh, dtype: Any = jnp.float32) -> Any:
    return load_base(directory, source="maxtext", dtype=dtype, mesh=mesh)


def logits_of(model: Any, mesh: jax.sharding.Mesh) -> np.ndarray:
    """Logits of what is no padding: rows whole, padded on the left, on the right, and on both sides."""
    rng = np.random.default_rng(0)
    tokens, mask = rng.integers(6, VOCABULARY, (4, LENGTH)), np.ones((4, LENGTH), bool)
    mask[1, :13] = mask[2, -11:] = mask[3, :3] = mask[3, -5:] = False
    positions = sft_utils.build_positions_from_mask(jnp.asarray(mask))
    causal = sft_utils.make_causal_attn_mask(jnp.asarray(mask))
    with on(mesh):
        logits, _ = nnx.jit(lambda m, t: m(t, positions, None, causal))(
            model, jnp.asarray(np.where(mask, tokens, 0))
        )
    return np.asarray(logits, np.float32)[mask]


def epsilons(found: np.ndarray, expected: np.ndarray) -> float:
    """Largest difference, in float32 epsilons of the largest logit."""
    difference, largest = np.abs(found - expected).max(), np.abs(expected).max()
    result = float(difference / (largest * np.finfo(np.float32).eps))
    print(f"difference {difference:.1e}, largest logit {largest:.3g}: {result:.1f} epsilons")  # pytest -rP
    return result


def test_logits_are_those_of_tunixs_model(files: Path, mesh: jax.sharding.Mesh) -> None:
    expected = logits_of(load_pretrained(files, dtype=jnp.float32, mesh=mesh), mesh)

    assert epsilons(logits_of(maxtext(files, mesh), mesh), expected) < FLOAT32_EPSILONS


@pytest.mark.parametrize(
    "change",
    [
        {"sliding_window": WINDOW - 1},
        {"sliding_window": WINDOW + 1},
        {"rope_theta": 10_000},
        {"rope_local_base_freq": 20_000},
        {"rope_scaling": {"rope_type": "linear", "factor": 8.0}},
    ],
    ids=["window - 1", "window + 1", "global base", "local base", "rope scaling"],
)
def test_a_wrong_setting_would_be_seen_in_the_logits(
    one_billion: Path, mesh: jax.sharding.Mesh, change: dict[str, Any], tmp_path: Path
) -> None:
    values = json.loads((one_billion / "config.json").read_text()) | change
    (tmp_path / "config.json").write_text(json.dumps(values))
    (tmp_path / "model.safetensors").symlink_to(one_billion / "model.safetensors")

    right = logits_of(maxtext(one_billion, mesh), mesh)
    assert epsilons(logits_of(maxtext(tmp_path, mesh), mesh), right) > 100 * FLOAT32_EPSILONS


def test_the_output_embedding_is_rounded_to_bfloat16_even_in_float32(
    mesh: jax.sharding.Mesh, tmp_path: Path
) -> None:
    """A fact of MaxText 0.2.5: where this fails, docs/model.md is to be mended."""
    files = random_files.write(tmp_path, replace(BASE, embed_dim=72))
    expected = logits_of(load_pretrained(files, dtype=jnp.float32, mesh=mesh), mesh)
    found = logits_of(maxtext(files, mesh), mesh)

    assert epsilons(found, expected) > 10 * FLOAT32_EPSILONS
    assert np.abs(found - expected).max() < 2**-8 * np.abs(expected).max()


def test_in_bfloat16_it_is_no_further_from_float32_than_tunixs_model(
    one_billion: Path, mesh: jax.sharding.Mesh
) -> None:
    truth = logits_of(load_pretrained(one_billion, dtype=jnp.float32, mesh=mesh), mesh)
    theirs = np.abs(logits_of(maxtext(one_billion, mesh, jnp.bfloat16), mesh) - truth).mean()
    tunixs = np.abs(
        logits_of(load_pretrained(one_billion, dtype=jnp.bfloat16, mesh=mesh), mesh) - truth
    ).mean()

    print(f"mean error: MaxText {theirs:.3g}, Tunix {tunixs:.3g}, mean logit {np.abs(truth).mean():.3g}")
    assert theirs < 1.5 * tunixs


def test_fresh_adapters_change_nothing_and_share_the_frozen_weights(
    one_billion: Path, mesh: jax.sharding.Mesh
) -> None:
    base = maxtext(one_billion, mesh)
    fresh = apply_lora(base, LORA, seed=1, mesh=mesh)
    frozen = jax.tree.leaves(nnx.state(fresh, nnx.All(nnx.Param, nnx.Not(nnx.LoRAParam))))
    pairs = zip(frozen, jax.tree.leaves(nnx.state(base, nnx.Param)), strict=True)

    assert epsilons(logits_of(fresh, mesh), logits_of(base, mesh)) < FLOAT32_EPSILONS
    assert all(ours.unsafe_buffer_pointer() == theirs.unsafe_buffer_pointer() for ours, theirs in pairs)
    assert len(jax.tree.leaves(nnx.state(fresh, nnx.LoRAParam))) == 2 * 7 * BASE.num_layers


def test_adapters_in_pefts_form_read_back_compute_equal_logits(
    one_billion: Path, policy: Any, mesh: jax.sharding.Mesh, tmp_path: Path
) -> None:
    save_lora(policy, LORA, tmp_path, base="x")
    again = apply_lora(maxtext(one_billion, mesh), LORA, seed=99, mesh=mesh)
    load_lora(again, tmp_path)

    trained = logits_of(policy, mesh)
    assert epsilons(trained, logits_of(maxtext(one_billion, mesh), mesh)) > 100 * FLOAT32_EPSILONS
    np.testing.assert_array_equal(logits_of(again, mesh), trained)


@pytest.mark.parametrize("source", ["tunix", "maxtext"])
def test_a_merged_export_computes_the_policys_logits_in_either_model(
    source: Any, one_billion: Path, policy: Any, mesh: jax.sharding.Mesh, tmp_path: Path
) -> None:
    save_lora(policy, LORA, tmp_path / "lora", base="x")
    write_merged(
        base=one_billion,
        lora=tmp_path / "lora",
        out=tmp_path / "merged",
        dtype=np.dtype(np.float32),
        shard_bytes=10**9,
    )

    merged = load_base(tmp_path / "merged", source=source, dtype=jnp.float32, mesh=mesh)
    assert epsilons(logits_of(merged, mesh), logits_of(policy, mesh)) < FLOAT32_EPSILONS


def test_tunixs_adapters_compute_their_logits_in_maxtexts_model(
    one_billion: Path, mesh: jax.sharding.Mesh, tmp_path: Path
) -> None:
    theirs = apply_lora(load_pretrained(one_billion, dtype=jnp.float32, mesh=mesh), LORA, seed=1, mesh=mesh)
    for index, (_, adapter) in enumerate(nnx.to_flat_state(nnx.state(theirs, nnx.LoRAParam))):
        adapter[...] = 0.1 * jax.random.normal(jax.random.key(index), adapter[...].shape)
    save_lora(theirs, LORA, tmp_path, base="x")
    ours = apply_lora(maxtext(one_billion, mesh), LORA, seed=0, mesh=mesh)
    load_lora(ours, tmp_path)

    assert epsilons(logits_of(ours, mesh), logits_of(theirs, mesh)) < FLOAT32_EPSILONS


def test_greedy_completions_are_those_of_tunixs_model_with_its_cache(
    one_billion: Path, tokenizer: Tokenizer, mesh: jax.sharding.Mesh
) -> None:
    prompts = [f"<start_of_turn>user\n{'3 plus 4 ' * n}<end_of_turn>\n" for n in (1, 2, 4)]
    shape = GenerationShape(rows=3, max_prompt_tokens=40, max_new_tokens=2 * WINDOW)
    expected, found = (
        kind(model, tokenizer, shape, mesh).generate(prompts, temperature=0.0, key=jax.random.key(0))
        for kind, model in (
            (Generator, load_pretrained(one_billion, dtype=jnp.float32, mesh=mesh)),
            (make_generator, maxtext(one_billion, mesh)),
        )
    )

    assert found == expected


def test_a_step_of_training_has_the_numbers_of_tunixs_model(
    mesh: jax.sharding.Mesh, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both sampled without a cache, so that equal keys draw equal tokens, and both from the same adapters.

    From the second update on they part: keys and values have one A in Tunix and two in MaxText.
    """
    tokenizer = short_training.make_tokenizer(tmp_path)
    files = random_files.write(tmp_path / "base", replace(BASE, num_embed=tokenizer.vocabulary))
    shape = GenerationShape(rows=16, max_prompt_tokens=32, max_new_tokens=16)
    first = apply_lora(load_pretrained(files, dtype=jnp.float32, mesh=mesh), LORA, seed=0, mesh=mesh)
    save_lora(first, LORA, tmp_path / "lora", base="x")

    def trained(source: Any) -> short_training.Ran:
        def models(*_: Any, **__: Any) -> Models:
            base = load_base(files, source=source, dtype=jnp.float32, mesh=mesh)
            policy = apply_lora(base, LORA, seed=0, mesh=mesh)
            load_lora(policy, tmp_path / "lora")
            return Models(
                policy=policy,
                reference=base,
                generator=UncachedGenerator(policy, tokenizer, shape, mesh),
            )

        monkeypatch.setattr(short_training, "make_models", models)
        return short_training.train(tmp_path / source, steps=2, mesh=mesh)

    theirs, ours = [trained(s) for s in ("tunix", "maxtext")]
    assert ours.sampled[0] == theirs.sampled[0]
    for name, expected in theirs.numbers[0].items():
        print(name, ours.numbers[0][name], expected, ours.numbers[1][name], theirs.numbers[1][name])
        assert ours.numbers[0][name] == pytest.approx(expected, rel=1e-4, abs=1e-6), name
    assert ours.sampled[1] != ours.sampled[0]


def test_a_checkpoint_of_another_model_is_refused_by_name(
    one_billion: Path, mesh: jax.sharding.Mesh, tmp_path: Path
) -> None:
    values = json.loads((one_billion / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(values | {"model_type": "llama"}))

    with pytest.raises(PolicyError, match="model_type is 'llama', need 'gemma3_text'"):
        maxtext(tmp_path, mesh)


def test_a_checkpoint_that_lacks_a_tensor_is_refused_by_name(
    one_billion: Path, mesh: jax.sharding.Mesh, tmp_path: Path
) -> None:
    tensors = safetensors.numpy.load_file(one_billion / "model.safetensors")
    del tensors["model.layers.3.mlp.up_proj.weight"]
    safetensors.numpy.save_file(tensors, tmp_path / "model.safetensors")
    (tmp_path / "config.json").write_text((one_billion / "config.json").read_text())

    with pytest.raises(PolicyError, match=r"model\.layers\.3\.mlp\.up_proj\.weight"):
        maxtext(tmp_path, mesh)
