"""A trained policy as files that other tools load.

Weights are merged in float32, tensor by tensor from the files of the base, and rounded once:
no accelerator and no second copy of the model is needed. `config.json` and the tokenizer
are those of the base.
"""

import json
import shutil
from pathlib import Path

import numpy as np

from policy import hub_files
from policy.gemma import read_config, read_hub_values
from policy.lora import read_adapters
from policy.tensors import hub_shapes

# Copied as they are: everything a loader wants beside weights and `config.json`.
_SIDE_FILES = (
    "tokenizer.model",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "chat_template.jinja",
    "chat_template.json",
    "generation_config.json",
)


def write_merged(*, base: Path, lora: Path, out: Path, dtype: np.dtype, shard_bytes: int) -> list[Path]:
    """Writes base plus adapters in the hub's form to `out`; returns the files of weights.

    Files of weights that an earlier export left in `out` are removed, as a loader would read both.

    Raises:
        policy.errors.PolicyError: base or adapters cannot be read, or are not Gemma 3's.
    """
    architecture = read_config(base)
    hub_files.check(base, architecture)
    stored = hub_files.read_headers(base)
    adapters = read_adapters(lora)
    out.mkdir(parents=True, exist_ok=True)
    for stale in out.glob("model*.safetensors*"):
        stale.unlink()
    files = hub_files.write_shards(
        out,
        hub_shapes(architecture),
        dtype,
        limit=shard_bytes,
        read=lambda name: adapters.merged(name, stored[name].read(name)),
    )
    # Loaders of before and after transformers 5 look for the type under one name each.
    values = {**read_hub_values(base), "torch_dtype": dtype.name, "dtype": dtype.name}
    (out / "config.json").write_text(json.dumps(values, indent=2) + "\n")
    for name in _SIDE_FILES:
        if (base / name).is_file():
            shutil.copyfile(base / name, out / name)
    return files


def write_adapters(*, lora: Path, out: Path, base: str | None) -> None:
    """Copies adapters in PEFT's form to `out`; `base` replaces the name of their base where given."""
    read_adapters(lora)
    out.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(lora / "adapter_model.safetensors", out / "adapter_model.safetensors")
    values = json.loads((lora / "adapter_config.json").read_text())
    if base is not None:
        values["base_model_name_or_path"] = base
    (out / "adapter_config.json").write_text(json.dumps(values, indent=2) + "\n")
