"""Model sources without MaxText: what is refused, sampling without a cache, adapters of both layouts."""

import importlib.util
import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from policy import maxtext_source, sources
from policy.checkpoint import PolicyRecord
from policy.errors import PolicyError
from policy.gemma import Gemma3, load_pretrained, tiny_config
from policy.lora import LoraShape, adapter_tensors, apply_lora, load_lora, save_lora
from policy.sampling import Completion, GenerationShape, Generator
from policy.tokenizer import Tokenizer
from policy.uncached import UncachedGenerator
from tests.unit.policy import random_files
from tests.unit.policy.conftest import SHAPE as MODEL_SHAPE
from trainer.config import ConfigurationError, parse

PROMPTS = [f"<start_of_turn>user\nWhat is {n} plus 4?<end_of_turn>\n" for n in (3, 11)]
SHAPE = GenerationShape(rows=2, max_prompt_tokens=32, max_new_tokens=12)
LORA = LoraShape(rank=4, alpha=8.0)
LAYERS, WIDTH, HEADS, HEAD, HIDDEN = MODEL_SHAPE.layers, MODEL_SHAPE.width, 4, MODEL_SHAPE.head_dim, 48

# --- what is refused ------------------------------------------------------------------------


def test_an_old_python_is_named_with_what_to_do() -> None:
    with pytest.raises(
        PolicyError, match=r"model.source='maxtext' needs Python 3.12.*3.11: run `make maxtext`"
    ):
        maxtext_source.check_installed((3, 11))


def test_a_missing_package_is_named_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)

    with pytest.raises(PolicyError, match="package maxtext is not installed here: run `make maxtext`"):
        maxtext_source.check_installed((3, 12))


def test_the_default_source_needs_nothing() -> None:
    sources.check("tunix")


@pytest.mark.parametrize(
    "devices",
    ["--model.fsdp 2", "--model.fsdp 0", "--model.tp 2", "--model.rollout-fsdp 1"],
)
def test_maxtext_on_more_than_one_device_is_refused_before_anything_is_loaded(devices: str) -> None:
    with pytest.raises(ConfigurationError, match=r"model.source='maxtext' runs on one device here"):
        parse(["--model.source", "maxtext", *devices.split()])


def test_maxtext_on_one_device_is_accepted() -> None:
    assert parse(["--model.source", "maxtext"]).model.source == "maxtext"


def test_maxtext_on_a_larger_mesh_is_refused_when_loaded(
    model_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(maxtext_source, "check_installed", lambda: None)
    mesh: Any = SimpleNamespace(size=2)

    with pytest.raises(PolicyError, match="runs on one device here, the mesh has 2"):
        sources.load_base(model_dir, source="maxtext", dtype=jnp.float32, mesh=mesh)


def test_a_scale_that_maxtext_would_ignore_is_refused(
    model_dir: Path, mesh: jax.sharding.Mesh, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(maxtext_source, "check_installed", lambda: None)
    values = json.loads((model_dir / "config.json").read_text())
    values["rope_parameters"] = {
        "sliding_attention": {"rope_type": "linear", "rope_theta": 1e4, "factor": 2.0},
        "full_attention": {"rope_type": "default", "rope_theta": 1e6},
    }
    (model_dir / "config.json").write_text(json.dumps(values))

    with pytest.raises(PolicyError, match=r"local layers divided by 2\.0"):
        sources.load_base(model_dir, source="maxtext", dtype=jnp.float32, mesh=mesh)


def test_a_record_from_before_there_were_sources_is_tunixs(tmp_path: Path) -> None:
    record = PolicyRecord(
        base="base", dtype="float32", system="s", prompt_hash="h", max_prompt_tokens=1, max_new_tokens=1
    )
    record.write(tmp_path)
    values = json.loads((tmp_path / "policy.json").read_text())
    del values["source"]
    (tmp_path / "policy.json").write_text(json.dumps(values))

    assert PolicyRecord.read(tmp_path) == record


# --- sampling without a cache ---------------------------------------------------------------


@pytest.fixture(scope="module")
def random(tokenizer: Tokenizer, mesh: jax.sharding.Mesh, tmp_path_factory: pytest.TempPathFactory) -> Gemma3:
    """Seven layers and a window shorter than a prompt, so that the cache is put to the test."""
    config = tiny_config(replace(MODEL_SHAPE, layers=7, context=8), vocabulary=tokenizer.vocabulary)
    directory = random_files.write(tmp_path_factory.mktemp("random"), config)
    return load_pretrained(directory, dtype=jnp.float32, mesh=mesh)


Made = tuple[Generator, UncachedGenerator]


@pytest.fixture
def both(random: Gemma3, tokenizer: Tokenizer, mesh: jax.sharding.Mesh) -> Callable[..., Made]:
    """Makes the sampler with a cache and the one without, of one model."""

    def make(**changes: Any) -> Made:
        changed = replace(tokenizer, **changes)
        return Generator(random, changed, SHAPE, mesh), UncachedGenerator(random, changed, SHAPE, mesh)

    return make


def greedy(generator: Generator) -> list[Completion]:
    return generator.generate(PROMPTS, temperature=0.0, key=jax.random.key(0))


def test_greedy_tokens_without_a_cache_are_those_with_one(both: Callable[..., Made]) -> None:
    cached, uncached = map(greedy, both())

    assert uncached == cached
    assert all(len(set(completion.tokens)) > 4 for completion in cached)


def test_a_completion_without_a_stop_mark_is_cut_and_says_so(both: Callable[..., Made]) -> None:
    for completion in greedy(both()[1]):
        assert completion.truncated
        assert len(completion.tokens) == SHAPE.max_new_tokens


@pytest.mark.parametrize("places", [range(3, 9), [SHAPE.max_new_tokens - 1]], ids=["middle", "last"])
def test_a_stop_mark_ends_its_row_alone_and_is_kept_in_tokens(
    both: Callable[..., Made], places: Sequence[int]
) -> None:
    rows = [completion.tokens for completion in greedy(both()[0])]
    row, place = next(
        (row, place)
        for row, tokens in enumerate(rows)
        for place in places
        if tokens[place] not in (*tokens[:place], *rows[1 - row])
    )
    cached, uncached = map(greedy, both(stop_ids=(1, rows[row][place])))

    assert uncached == cached
    assert (uncached[row].tokens, uncached[row].truncated) == (rows[row][: place + 1], False)
    assert (uncached[1 - row].tokens, uncached[1 - row].truncated) == (rows[1 - row], True)


def test_the_padded_prompts_are_those_of_the_cached_sampler(both: Callable[..., Made]) -> None:
    cached, uncached = (
        generator.generate_rows(PROMPTS, temperature=0.0, key=jax.random.key(0)).prompt_tokens
        for generator in both()
    )

    np.testing.assert_array_equal(uncached, cached)


def test_without_a_cache_too_the_key_decides_what_is_sampled(both: Callable[..., Made]) -> None:
    uncached = both()[1]
    first, again, other = (
        uncached.generate(PROMPTS[:1] * 2, temperature=1.0, key=jax.random.key(seed)) for seed in (0, 0, 1)
    )

    assert first == again
    assert first != other
    assert first[0] != first[1]
    assert uncached.compilations == 1


def test_without_a_cache_too_a_prompt_that_does_not_fit_is_an_error(both: Callable[..., Made]) -> None:
    with pytest.raises(PolicyError, match=r"prompt of \d+ tokens exceeds max_prompt_tokens=32"):
        both()[1].generate([PROMPTS[0] * 4], temperature=0.0, key=jax.random.key(0))


def test_the_sampler_without_a_cache_uses_the_models_present_weights(
    random: Gemma3, tokenizer: Tokenizer, mesh: jax.sharding.Mesh
) -> None:
    policy = apply_lora(random, LORA, seed=0, mesh=mesh)
    uncached = UncachedGenerator(policy, tokenizer, SHAPE, mesh)
    before = greedy(uncached)
    for index, (_, adapter) in enumerate(nnx.to_flat_state(nnx.state(policy, nnx.LoRAParam))):
        adapter[...] = jax.random.normal(jax.random.key(index), adapter[...].shape)

    assert greedy(uncached) != before
    assert uncached.compilations == 1


def test_a_model_without_a_cache_gets_the_sampler_without_one(
    random: Gemma3, tokenizer: Tokenizer, mesh: jax.sharding.Mesh
) -> None:
    model = maxtext_source.MaxTextGemma3(nnx.Module(), random.config)

    assert type(sources.make_generator(model, tokenizer, SHAPE, mesh)) is UncachedGenerator
    assert type(sources.make_generator(random, tokenizer, SHAPE, mesh)) is Generator


# --- adapters of both layouts ---------------------------------------------------------------


class Node(nnx.Module):
    """A module of anything."""


def maxtext_layout(*, seed: int) -> nnx.Module:
    """Adapters under MaxText's paths and in its shapes, over no model: rank 4, one KV head."""
    shapes = {
        "self_attention.query": ((WIDTH,), (HEADS, HEAD)),
        "self_attention.key": ((WIDTH,), (1, HEAD)),
        "self_attention.value": ((WIDTH,), (1, HEAD)),
        "self_attention.out": ((HEADS, HEAD), (WIDTH,)),
        "mlp.wi_0": ((WIDTH,), (HIDDEN,)),
        "mlp.wi_1": ((WIDTH,), (HIDDEN,)),
        "mlp.wo": ((HIDDEN,), (WIDTH,)),
    }
    rng = np.random.default_rng(seed)
    root = Node()
    for layer in range(LAYERS):
        for name, (inward, outward) in shapes.items():
            node = root
            for part in ("adapter", "base", "decoder", f"layers_{layer}", *name.split(".")):
                node = child(node, part)
            node.kernel_lora_a = nnx.LoRAParam(jnp.asarray(rng.normal(size=(*inward, LORA.rank))))
            node.kernel_lora_b = nnx.LoRAParam(jnp.asarray(rng.normal(size=(LORA.rank, *outward))))
    return root


def child(node: Any, name: str) -> Any:
    if not hasattr(node, name):
        setattr(node, name, Node())
    return getattr(node, name)


def tunix_adapters(base: Gemma3, mesh: jax.sharding.Mesh) -> Gemma3:
    policy = apply_lora(base, LORA, seed=1, mesh=mesh)
    for index, (_, adapter) in enumerate(nnx.to_flat_state(nnx.state(policy, nnx.LoRAParam))):
        adapter[...] = jax.random.normal(jax.random.key(index), adapter[...].shape)
    return policy


def test_adapters_of_both_layouts_have_pefts_names_and_shapes(base: Gemma3, mesh: jax.sharding.Mesh) -> None:
    theirs: Any = maxtext_layout(seed=0)
    found = {name: array.shape for name, array in adapter_tensors(theirs).items()}

    expected = {name: array.shape for name, array in adapter_tensors(tunix_adapters(base, mesh)).items()}
    assert found == expected


def test_an_update_in_pefts_form_is_the_update_of_maxtexts_kernel() -> None:
    model: Any = maxtext_layout(seed=0)
    tensors = adapter_tensors(model)
    attention = model.adapter.base.decoder.layers_1.self_attention
    prefix = "base_model.model.model.layers.1.self_attn"

    for name, module, equation, shape in (
        ("key", "k_proj", "dr,rkh->khd", (HEAD, WIDTH)),
        ("query", "q_proj", "dr,rnh->nhd", (HEADS * HEAD, WIDTH)),
        ("out", "o_proj", "nhr,rd->dnh", (WIDTH, HEADS * HEAD)),
    ):
        adapter = getattr(attention, name)
        update = np.einsum(equation, adapter.kernel_lora_a[...], adapter.kernel_lora_b[...]).reshape(shape)
        up, down = (tensors[f"{prefix}.{module}.lora_{half}.weight"] for half in "BA")
        np.testing.assert_allclose(up @ down, update, atol=1e-5)


def test_maxtexts_adapters_read_back_the_same(tmp_path: Path) -> None:
    model: Any = maxtext_layout(seed=0)
    again: Any = maxtext_layout(seed=1)
    save_lora(model, LORA, tmp_path, base="x")
    load_lora(again, tmp_path)

    jax.tree.map(np.testing.assert_array_equal, nnx.state(again), nnx.state(model))


def test_tunixs_adapters_go_into_maxtexts_layout_and_back(
    base: Gemma3, mesh: jax.sharding.Mesh, tmp_path: Path
) -> None:
    first = tunix_adapters(base, mesh)
    between: Any = maxtext_layout(seed=1)
    back = apply_lora(base, LORA, seed=2, mesh=mesh)
    save_lora(first, LORA, tmp_path / "1", base="x")
    load_lora(between, tmp_path / "1")
    save_lora(between, LORA, tmp_path / "2", base="x")
    load_lora(back, tmp_path / "2")

    jax.tree.map(
        np.testing.assert_array_equal, nnx.state(back, nnx.LoRAParam), nnx.state(first, nnx.LoRAParam)
    )


def test_adapters_with_an_a_each_for_keys_and_values_are_refused_by_tunixs_model(
    base: Gemma3, mesh: jax.sharding.Mesh, tmp_path: Path
) -> None:
    model: Any = maxtext_layout(seed=0)
    save_lora(model, LORA, tmp_path, base="x")

    with pytest.raises(
        PolicyError, match=r"'model.layers.0' has one A for keys and another for values.*merge"
    ):
        load_lora(tunix_adapters(base, mesh), tmp_path)
