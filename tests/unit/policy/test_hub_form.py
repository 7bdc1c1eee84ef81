"""A checkpoint's `config.json` and files: what is read, what is refused before it loads wrongly."""

import json
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest
import safetensors.numpy

from policy import hub_config, hub_files
from policy.errors import PolicyError
from policy.gemma import Gemma3, ModelConfig, read_config
from policy.lora import read_adapters
from policy.tensors import hub_shapes, to_tensors

# google/gemma-3-1b-it's config.json, without what no loader reads.
PUBLISHED: dict[str, Any] = {
    "architectures": ["Gemma3ForCausalLM"],
    "attention_bias": False,
    "attn_logit_softcapping": None,
    "eos_token_id": [1, 106],
    "final_logit_softcapping": None,
    "head_dim": 256,
    "hidden_activation": "gelu_pytorch_tanh",
    "hidden_size": 1152,
    "intermediate_size": 6912,
    "max_position_embeddings": 32768,
    "model_type": "gemma3_text",
    "num_attention_heads": 4,
    "num_hidden_layers": 26,
    "num_key_value_heads": 1,
    "query_pre_attn_scalar": 256,
    "rms_norm_eps": 1e-06,
    "rope_local_base_freq": 10000,
    "rope_scaling": None,
    "rope_theta": 1000000,
    "sliding_window": 512,
    "sliding_window_pattern": 6,
    "vocab_size": 262144,
}
CASES = [
    json.loads(line)
    for line in (Path(__file__).parents[2] / "cases" / "gemma_configs.jsonl").read_text().splitlines()
]


def test_googles_config_of_the_1b_is_tunixs_1b() -> None:
    assert hub_config.from_hub(PUBLISHED) == ModelConfig.gemma3_1b_it()


@pytest.mark.parametrize(
    "config", [ModelConfig.gemma3_270m(), ModelConfig.gemma3_4b_it(), ModelConfig.gemma3_27b_it()]
)
def test_every_text_model_of_the_family_survives_being_written(config: ModelConfig) -> None:
    assert hub_config.from_hub(hub_config.to_hub(config)) == config


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["why"])
def test_a_setting_that_the_model_would_not_honour_is_refused(case: dict[str, Any]) -> None:
    values = {key: value for key, value in (PUBLISHED | case["change"]).items() if value is not None}

    with pytest.raises(PolicyError) as caught:
        hub_config.from_hub(values)
    assert case["error"] in str(caught.value)


@pytest.mark.parametrize(("text", "error"), [("{", "is not JSON"), ("[]", "must hold an object, got list")])
def test_a_damaged_config_is_named(tmp_path: Path, text: str, error: str) -> None:
    (tmp_path / "config.json").write_text(text)

    with pytest.raises(PolicyError, match=error):
        read_config(tmp_path)


def test_the_expected_tensors_are_those_that_we_write(base: Gemma3) -> None:
    assert {name: array.shape for name, array in to_tensors(base).items()} == hub_shapes(base.config)


def test_the_1b_has_its_published_340_tensors_and_parameters() -> None:
    shapes = hub_shapes(ModelConfig.gemma3_1b_it())

    assert len(shapes) == 2 + 26 * 13
    assert sum(int(np.prod(shape)) for shape in shapes.values()) == 999_885_952


def damage(directory: Path, how: str) -> None:
    file = directory / "model.safetensors"
    tensors = safetensors.numpy.load_file(file)
    match how:
        case "missing":
            del tensors["model.layers.1.self_attn.k_norm.weight"]
        case "unknown":
            tensors["model.layers.0.self_attn.q_proj.bias"] = np.zeros(64, np.float32)
        case "shape":
            tensors["model.norm.weight"] = np.zeros(7, np.float32)
        case "types":
            tensors["model.norm.weight"] = tensors["model.norm.weight"].astype(ml_dtypes.bfloat16)
        case "twice":
            safetensors.numpy.save_file(tensors, directory / "copy.safetensors")
        case "cut":
            file.write_bytes(file.read_bytes()[:-10])
            return
    safetensors.numpy.save_file(tensors, file)


@pytest.mark.parametrize(
    ("how", "error"),
    [
        ("missing", r"lacks 1 tensors, first 'model.layers.1.self_attn.k_norm.weight': copy all its files"),
        ("unknown", r"has 1 tensors that Gemma 3 has not, first 'model.layers.0.self_attn.q_proj.bias'"),
        ("shape", r"'model.norm.weight' is \(7,\), config.json needs \(32,\)"),
        ("types", r"mixes the types \['BF16', 'F32'\]"),
        ("twice", r"is both in 'copy.safetensors' and in 'model.safetensors'"),
        ("cut", r"is cut short or damaged"),
    ],
)
def test_files_that_would_load_to_wrong_numbers_are_refused(
    model_dir: Path, base: Gemma3, how: str, error: str
) -> None:
    hub_files.check(model_dir, base.config)
    damage(model_dir, how)

    with pytest.raises(PolicyError, match=error):
        hub_files.check(model_dir, base.config)


def test_shards_keep_the_order_and_the_limit() -> None:
    sizes = {"a": 4, "b": 4, "c": 20, "d": 1, "e": 9}

    assert hub_files.plan_shards(sizes, limit=10) == [["a", "b"], ["c"], ["d", "e"]]


@pytest.mark.parametrize("key", ["use_rslora", "use_dora", "rank_pattern"])
def test_adapters_that_scale_otherwise_are_refused(tmp_path: Path, key: str) -> None:
    values = {"r": 4, "lora_alpha": 8, key: {"q_proj": 8} if key == "rank_pattern" else True}
    (tmp_path / "adapter_config.json").write_text(json.dumps(values))

    with pytest.raises(PolicyError, match=f"{key}=.*only plain LoRA"):
        read_adapters(tmp_path)
