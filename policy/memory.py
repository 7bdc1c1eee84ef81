"""`python -m policy.memory`: bytes of weights on each device of a mesh, from shapes alone.

Nothing is allocated, and no device of the mesh need be there. Logits are counted for the
update, where they are largest; XLA keeps several copies of them, how many it decides.
"""

import math
from dataclasses import dataclass, replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import qwix
import tyro
from flax import nnx

from policy import lora
from policy.gemma import Gemma3, ModelConfig

_ADAM_MOMENTS = 2


@dataclass(frozen=True, kw_only=True, slots=True)
class MemoryConfig:
    fsdp: int = 2
    """Devices over which weights and batch are sharded."""
    tp: int = 4
    """Devices over which heads, MLP and vocabulary are sharded."""
    rank: int = 16
    """Rank of the adapters."""
    rows: int = 4
    """Completions of a forward and backward pass."""
    length: int = 1024
    """Tokens of prompt and completion."""


@dataclass(frozen=True, kw_only=True, slots=True)
class DeviceBytes:
    """Bytes on one device. `base` is one copy in bfloat16; policy and reference share it until the first
    update, whose result Tunix 0.1.7 writes into new buffers."""

    base: int
    adapters: int
    moments: int
    logits: int


def device_bytes(config: MemoryConfig) -> DeviceBytes:
    """Computes the bytes of the 1B with adapters on a device of an (fsdp, tp) mesh."""

    # Flax takes an abstract mesh too; its annotation does not say so.
    mesh: Any = jax.sharding.AbstractMesh((config.fsdp, config.tp), ("fsdp", "tp"))
    # All layers are alike, so that two sizes stand for every one; tracing all 26 takes half a minute.
    layers = ModelConfig.gemma3_1b_it().num_layers
    (adapters_1, base_1), (adapters_2, base_2) = (_parameters(config.rank, n, mesh) for n in (1, 2))
    adapters = 4 * (adapters_1 + (layers - 1) * (adapters_2 - adapters_1))
    base = 2 * (base_1 + (layers - 1) * (base_2 - base_1))
    rows = math.ceil(config.rows / config.fsdp)
    vocabulary = ModelConfig.gemma3_1b_it().num_embed // config.tp
    logits = rows * config.length * vocabulary * jnp.dtype(jnp.float32).itemsize
    return DeviceBytes(base=base, adapters=adapters, moments=_ADAM_MOMENTS * adapters, logits=logits)


def _parameters(rank: int, layers: int, mesh: Any) -> tuple[int, int]:
    """Adapters' and other parameters on one device, of a 1B cut to `layers`."""

    def build() -> Any:
        base = Gemma3(replace(ModelConfig.gemma3_1b_it(), num_layers=layers), rngs=nnx.Rngs(0))
        provider = qwix.LoraProvider(module_path=lora.TARGETS, rank=rank, alpha=1.0)
        return qwix.apply_lora_to_model(base, provider, rngs=nnx.Rngs(0), **base.get_model_input())

    model = nnx.eval_shape(build)
    adapters, others = (
        nnx.state(model, kind) for kind in (nnx.LoRAParam, nnx.All(nnx.Param, nnx.Not(nnx.LoRAParam)))
    )
    return _elements(adapters, mesh), _elements(others, mesh)


def _elements(state: nnx.State, mesh: Any) -> int:
    """Elements of the arrays of `state` that lie on one device."""
    shapes = dict(nnx.to_flat_state(state))
    shardings = nnx.to_flat_state(nnx.get_named_sharding(state, mesh))
    return sum(int(np.prod(s.get_value().shard_shape(shapes[path].shape))) for path, s in shardings)


def main() -> None:
    config = tyro.cli(MemoryConfig, prog="python -m policy.memory")
    found = device_bytes(config)
    for name in ("base", "adapters", "moments", "logits"):
        print(f"{name:<9} {getattr(found, name) / 1e9:8.3f} GB")  # noqa: T201 - the result of the command


if __name__ == "__main__":
    main()
