"""Random checkpoints in the hub's form, in which no weight is near zero by accident.

A norm that ignored its weight, a window that was off by one or another rotary base would be
seen in their logits, and greedy completions do not repeat one token.
"""

import json
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import safetensors.numpy
from tunix.models.gemma3 import model as gemma3

from policy import hub_config
from policy.tensors import hub_shapes

FIRST_TOKEN = 6  # outputs of those before are small: pad, eos and end of turn, which would end a row early


def write(directory: Path, config: gemma3.ModelConfig, *, seed: int = 1) -> Path:
    """Writes `config.json` and `model.safetensors`; returns the directory."""
    rng = np.random.default_rng(seed)
    tensors = {
        name: (rng.normal(size=shape) * (0.2 if "norm" in name else shape[-1] ** -0.5)).astype(np.float32)
        for name, shape in hub_shapes(config).items()
    }
    embedding = tensors["model.embed_tokens.weight"]
    embedding[:FIRST_TOKEN] *= 0.01  # not 0, at which the gradient of a norm is a thousand times too large
    # As in the published files: MaxText rounds it to bfloat16 for the output, whatever the type of the rest.
    tensors["model.embed_tokens.weight"] = embedding.astype(jnp.bfloat16).astype(np.float32)
    for name in tensors:
        if "layernorm" in name and "post_" in name:
            tensors[name] += (
                3  # else what a layer adds is less than the embedding, and the last token repeats
            )
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "config.json").write_text(json.dumps(hub_config.to_hub(config)))
    safetensors.numpy.save_file(tensors, directory / "model.safetensors", metadata={"format": "pt"})
    return directory
