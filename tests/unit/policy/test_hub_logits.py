"""Our Gemma 3 against transformers' and PEFT's: the same files, the same tokens, the same logits.

Weights are random and small, shapes are those of the real models: five local layers to one
global, norms of queries and keys, fewer KV heads than heads, tied embeddings, two rotary
bases, and sequences of five windows. Weights are drawn so that nothing is near zero by
accident: a norm that ignored its weight or a window that was off by one would be seen.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from tunix.sft import utils as sft_utils

from policy.export import write_adapters, write_merged
from policy.gemma import Gemma3, load_pretrained, on, read_config, save_pretrained
from policy.hub_files import INDEX
from policy.lora import LoraShape, apply_lora, save_lora
from policy.sampling import GenerationShape, Generator
from policy.tokenizer import Tokenizer
from tests.conftest import missing

try:
    import peft
    import torch
    import transformers
except ImportError:
    torch = None

WINDOW, LENGTH, VOCABULARY = 8, 40, 320
# Bound of rounding float32 sums in two orders through seven layers; 12 are seen, and a wrong setting
# is a million.
FLOAT32_EPSILONS = 32
LORA = LoraShape(rank=4, alpha=8.0)

SHAPES: Mapping[str, dict[str, Any]] = {
    "1B": {},
    # Two query heads to a KV head, and positions of global layers divided by 8.
    "4B": {"num_key_value_heads": 2, "full_attention": {"rope_type": "linear", "factor": 8.0}},
    # Queries scaled by width / heads in place of the head size.
    "27B": {"num_key_value_heads": 2, "query_pre_attn_scalar": 64 // 4, "head_dim": 32},
}


@pytest.fixture(scope="module", autouse=True)
def interop() -> None:
    if torch is None:
        missing("torch, transformers and peft: make interop")


def torch_model(changes: Mapping[str, Any]) -> Any:
    values = {
        "vocab_size": VOCABULARY,
        "hidden_size": 64,
        "intermediate_size": 96,
        "num_hidden_layers": 7,
        "num_attention_heads": 4,
        "num_key_value_heads": 1,
        "head_dim": 16,
        "query_pre_attn_scalar": 16,
        "sliding_window": WINDOW,
        "max_position_embeddings": 256,
    } | {key: value for key, value in changes.items() if key != "full_attention"}
    rope = {
        "full_attention": {"rope_type": "default", "rope_theta": 1e6} | changes.get("full_attention", {}),
        "sliding_attention": {"rope_type": "default", "rope_theta": 1e4},
    }
    torch.manual_seed(0)
    config = transformers.Gemma3TextConfig(**values, rope_parameters=rope, attn_implementation="eager")
    model = transformers.Gemma3ForCausalLM(config).eval()
    with torch.no_grad():
        for name, weight in model.named_parameters():
            weight.normal_(0, 0.2 if "norm" in name else weight.shape[-1] ** -0.5)
        # No row of the batch may end early: the outputs of pad, eos and end of turn are 0.
        model.model.embed_tokens.weight[:6] = 0
    return model


@pytest.fixture(scope="module", params=SHAPES)
def from_torch(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Path]:
    """A model that transformers made and saved."""
    directory = tmp_path_factory.mktemp(request.param)
    model = torch_model(SHAPES[request.param])
    model.save_pretrained(directory)
    return model, directory


@pytest.fixture(scope="module")
def one_billion(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("base")
    torch_model(SHAPES["1B"]).save_pretrained(directory)
    return directory


@pytest.fixture(scope="module")
def policy(one_billion: Path, mesh: jax.sharding.Mesh) -> Gemma3:
    """Adapters that are not zero, as if they had been trained, over the saved model."""
    model = apply_lora(load_pretrained(one_billion, dtype=jnp.float32, mesh=mesh), LORA, seed=1, mesh=mesh)
    for index, (_, adapter) in enumerate(nnx.to_flat_state(nnx.state(model, nnx.LoRAParam))):
        adapter[...] = 0.1 * jax.random.normal(jax.random.key(index), adapter[...].shape)
    return model


@pytest.fixture(scope="module")
def lora_dir(policy: Gemma3, tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("lora")
    save_lora(policy, LORA, directory, base="google/gemma-3-1b-it")
    return directory


@pytest.fixture(scope="module")
def batch() -> tuple[np.ndarray, np.ndarray]:
    """Tokens and mask [4, 40]: whole, padded on the left, on the right, and on both sides."""
    rng = np.random.default_rng(0)
    tokens, mask = rng.integers(6, VOCABULARY, (4, LENGTH)), np.ones((4, LENGTH), bool)
    mask[1, :13] = mask[2, -11:] = mask[3, :3] = mask[3, -5:] = False
    return np.where(mask, tokens, 0), mask


Batch = tuple[np.ndarray, np.ndarray]


def ours(model: Gemma3, batch: Batch, mesh: jax.sharding.Mesh) -> np.ndarray:
    """Logits of the tokens that are no padding, float32 [tokens, vocabulary]."""
    tokens, mask = jnp.asarray(batch[0]), jnp.asarray(batch[1])
    positions, causal = sft_utils.build_positions_from_mask(mask), sft_utils.make_causal_attn_mask(mask)
    with on(mesh):
        logits, _ = nnx.jit(lambda m: m(tokens, positions, None, causal))(model)
    return np.asarray(logits, np.float32)[batch[1]]


def theirs(model: Any, batch: Batch) -> np.ndarray:
    tokens, mask = batch
    positions = np.maximum(np.cumsum(mask, axis=1) - 1, 0)
    with torch.no_grad():
        output = model(
            input_ids=torch.tensor(tokens),
            attention_mask=torch.tensor(mask.astype(int)),
            position_ids=torch.tensor(positions),
        )
    return output.logits.float().numpy()[mask]


def epsilons(found: np.ndarray, expected: np.ndarray) -> float:
    """Largest difference, in float32 epsilons of the largest logit."""
    difference, largest = np.abs(found - expected).max(), np.abs(expected).max()
    result = float(difference / (largest * np.finfo(np.float32).eps))
    print(f"difference {difference:.1e}, largest logit {largest:.3g}: {result:.1f} epsilons")  # pytest -rP
    return result


def test_a_checkpoint_that_transformers_wrote_computes_its_logits(
    from_torch: tuple[Any, Path], batch: Batch, mesh: jax.sharding.Mesh
) -> None:
    model, directory = from_torch
    loaded = load_pretrained(directory, dtype=jnp.float32, mesh=mesh)

    assert epsilons(ours(loaded, batch, mesh), theirs(model, batch)) < FLOAT32_EPSILONS


@pytest.mark.parametrize(
    "change",
    [
        {"sliding_window": WINDOW - 1},
        {"sliding_window": WINDOW + 1},
        {"rope_theta": 1e4},
        {"rope_scaling": {"rope_type": "linear", "factor": 8.0}},
    ],
    ids=["window - 1", "window + 1", "global base", "rope scaling"],
)
def test_a_wrong_setting_would_be_seen_in_the_logits(
    one_billion: Path, batch: Batch, mesh: jax.sharding.Mesh, change: dict[str, Any], tmp_path: Path
) -> None:
    right = ours(load_pretrained(one_billion, dtype=jnp.float32, mesh=mesh), batch, mesh)
    values = json.loads((one_billion / "config.json").read_text())
    del values["rope_parameters"]
    values = values | {"rope_theta": 1e6, "rope_local_base_freq": 1e4} | change
    (tmp_path / "config.json").write_text(json.dumps(values))
    (tmp_path / "model.safetensors").symlink_to(one_billion / "model.safetensors")

    wrong = ours(load_pretrained(tmp_path, dtype=jnp.float32, mesh=mesh), batch, mesh)
    assert epsilons(wrong, right) > 1000 * FLOAT32_EPSILONS


def test_a_model_that_we_wrote_computes_its_logits_in_transformers(
    from_torch: tuple[Any, Path], batch: Batch, mesh: jax.sharding.Mesh, tmp_path: Path
) -> None:
    model = load_pretrained(from_torch[1], dtype=jnp.float32, mesh=mesh)
    save_pretrained(model, tmp_path)
    read_back = transformers.Gemma3ForCausalLM.from_pretrained(tmp_path, attn_implementation="eager")

    assert epsilons(theirs(read_back, batch), ours(model, batch, mesh)) < FLOAT32_EPSILONS


@pytest.mark.parametrize("shard_bytes", [10**9, 100_000], ids=["one file", "shards"])
def test_merged_float32_weights_compute_the_policys_logits_in_transformers(
    policy: Gemma3,
    one_billion: Path,
    lora_dir: Path,
    batch: Batch,
    mesh: jax.sharding.Mesh,
    shard_bytes: int,
    tmp_path: Path,
) -> None:
    out = tmp_path / "merged"
    files = write_merged(
        base=one_billion, lora=lora_dir, out=out, dtype=np.dtype(np.float32), shard_bytes=shard_bytes
    )
    model, report = transformers.AutoModelForCausalLM.from_pretrained(
        out, attn_implementation="eager", dtype="auto", output_loading_info=True
    )

    assert not any(report[key] for key in ("missing_keys", "unexpected_keys", "mismatched_keys"))
    assert (len(files) > 1) == (out / INDEX).is_file() == (shard_bytes < 10**9)
    assert type(model).__name__ == "Gemma3ForCausalLM"
    assert epsilons(theirs(model, batch), ours(policy, batch, mesh)) < FLOAT32_EPSILONS


def test_merged_bfloat16_weights_are_the_merged_weights_rounded_once(
    policy: Gemma3,
    one_billion: Path,
    lora_dir: Path,
    batch: Batch,
    mesh: jax.sharding.Mesh,
    tmp_path: Path,
) -> None:
    out = tmp_path / "merged"
    write_merged(base=one_billion, lora=lora_dir, out=out, dtype=np.dtype(jnp.bfloat16), shard_bytes=10**9)
    model = transformers.AutoModelForCausalLM.from_pretrained(out, attn_implementation="eager", dtype="auto")
    again = load_pretrained(out, dtype=jnp.float32, mesh=mesh)

    assert model.dtype == torch.bfloat16
    # Equal weights, so equal logits once both compute in float32 ...
    assert epsilons(ours(again, batch, mesh), theirs(model.float(), batch)) < FLOAT32_EPSILONS
    # ... and those of the policy but for the rounding of its weights.
    expected = ours(policy, batch, mesh)
    assert np.abs(theirs(model, batch) - expected).max() < 0.1 * np.abs(expected).max()


def test_exported_adapters_compute_the_policys_logits_in_peft(
    policy: Gemma3,
    one_billion: Path,
    lora_dir: Path,
    batch: Batch,
    mesh: jax.sharding.Mesh,
    tmp_path: Path,
) -> None:
    write_adapters(lora=lora_dir, out=tmp_path / "lora", base=str(one_billion))
    model = peft.AutoPeftModelForCausalLM.from_pretrained(
        tmp_path / "lora", attn_implementation="eager", dtype=torch.float32
    )

    assert epsilons(theirs(model, batch), ours(policy, batch, mesh)) < FLOAT32_EPSILONS
    assert (
        sum(p.numel() for name, p in model.named_parameters() if "lora_" in name)
        == sum(leaf.size for leaf in jax.tree.leaves(nnx.state(policy, nnx.LoRAParam))) + 7 * 64 * LORA.rank
    )  # k and v share A with us, and have one each in PEFT


def test_greedy_decoding_with_the_cache_writes_what_transformers_writes(
    one_billion: Path, tokenizer: Tokenizer, mesh: jax.sharding.Mesh
) -> None:
    """Prompts of one to four windows, so that the cache is left-padded, and four windows of reply."""
    prompts = [f"<start_of_turn>user\n{'3 plus 4 ' * n}<end_of_turn>\n" for n in (1, 2, 4)]
    shape = GenerationShape(rows=3, max_prompt_tokens=40, max_new_tokens=4 * WINDOW)
    generator = Generator(load_pretrained(one_billion, dtype=jnp.float32, mesh=mesh), tokenizer, shape, mesh)
    model = transformers.Gemma3ForCausalLM.from_pretrained(one_billion, attn_implementation="eager")

    completions = generator.generate(prompts, temperature=0.0, key=jax.random.key(0))
    for prompt, completion in zip(prompts, completions, strict=True):
        ids = torch.tensor([[2, *tokenizer.encode(prompt)]])
        reply = model.generate(ids, max_new_tokens=4 * WINDOW, do_sample=False)[0, ids.shape[1] :]
        assert list(completion.tokens) == reply.tolist()
        assert completion.truncated


def test_in_bfloat16_we_are_no_further_from_the_truth_than_transformers(
    one_billion: Path, batch: Batch, mesh: jax.sharding.Mesh
) -> None:
    model = transformers.Gemma3ForCausalLM.from_pretrained(one_billion, attn_implementation="eager")
    truth = theirs(model, batch)
    in_torch = np.abs(theirs(model.to(torch.bfloat16), batch) - truth)
    in_jax = np.abs(ours(load_pretrained(one_billion, dtype=jnp.bfloat16, mesh=mesh), batch, mesh) - truth)

    # Tunix squares and averages in bfloat16 for its norms where transformers uses float32.
    assert in_jax.mean() < 2 * in_torch.mean()
    assert in_jax.mean() < 0.05 * np.abs(truth).mean()


def test_both_spellings_of_the_rotary_settings_read_as_one(one_billion: Path, tmp_path: Path) -> None:
    values = json.loads((one_billion / "config.json").read_text())
    rope = values.pop("rope_parameters")
    values["rope_theta"] = rope["full_attention"]["rope_theta"]
    values["rope_local_base_freq"] = rope["sliding_attention"]["rope_theta"]
    (tmp_path / "config.json").write_text(json.dumps(values))

    assert read_config(tmp_path) == read_config(one_billion)
