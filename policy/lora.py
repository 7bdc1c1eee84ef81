"""LoRA on Gemma 3: add adapters, read and write them in PEFT's form, merge them.

Hu et al. 2021 (arXiv:2106.09685): W' = W + (alpha / rank) * B A. Inside the model the
adapters are `nnx.LoRAParam`s put there by qwix; on disk they are PEFT's
`adapter_model.safetensors` and `adapter_config.json`, which other tools read.

Layouts, with D width, N query heads, K KV heads, H head size, r rank:
    q_einsum         a [D, r]      b [r, N, H]        -> q_proj  A [r, D]   B [N*H, r]
    kv_einsum        a [D, r]      b [r, 2, K, H]     -> k_proj, v_proj share A
    attn_vec_einsum  a [N, H, r]   b [r, D]           -> o_proj  A [r, N*H] B [D, r]
    mlp              a [in, r]     b [r, out]         -> A [r, in]  B [out, r]
MaxText's query and out are as q_einsum and attn_vec_einsum; key and value [D, r], [r, K, H] have
an A each, so that adapters trained there go back to Tunix's model only merged.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import qwix
import safetensors.numpy
from flax import nnx

from policy.errors import PolicyError
from policy.gemma import Gemma3, on
from policy.spread import to_host, writes
from policy.tensors import Tensors

# The projections of Google's Gemma 3 recipe under the hub's names; first Tunix's modules, then MaxText's.
_MODULES = {
    "q_einsum": ("self_attn.q_proj",),
    "kv_einsum": ("self_attn.k_proj", "self_attn.v_proj"),
    "attn_vec_einsum": ("self_attn.o_proj",),
    "gate_proj": ("mlp.gate_proj",),
    "up_proj": ("mlp.up_proj",),
    "down_proj": ("mlp.down_proj",),
    "query": ("self_attn.q_proj",),
    "key": ("self_attn.k_proj",),
    "value": ("self_attn.v_proj",),
    "out": ("self_attn.o_proj",),
    "wi_0": ("mlp.gate_proj",),
    "wi_1": ("mlp.up_proj",),
    "wo": ("mlp.down_proj",),
}
TARGETS = "|".join(f".*/{name}" for name in _MODULES)
_PREFIX = "base_model.model."


@dataclass(frozen=True, kw_only=True, slots=True)
class LoraShape:
    """Rank of the adapters, and alpha: the update is scaled by alpha / rank."""

    rank: int = 16
    alpha: float = 32.0


def apply_lora(base: Gemma3, shape: LoraShape, *, seed: int, mesh: jax.sharding.Mesh) -> Gemma3:
    """Returns a model that computes what `base` does, with fresh float32 adapters.

    B starts at zero. The frozen weights are the buffers of `base`, not copies, so that a
    reference model costs no second set. Adapters stay float32 over a bfloat16 base: at a
    learning rate of 3e-6 a bfloat16 adapter hardly moves.
    """
    provider = qwix.LoraProvider(module_path=TARGETS, rank=shape.rank, alpha=shape.alpha)
    graph, frozen = nnx.split(base)

    def applied(weights: Any) -> Any:
        return qwix.apply_lora_to_model(
            nnx.merge(graph, weights), provider, rngs=nnx.Rngs(seed), **base.get_model_input()
        )

    def drawn(weights: Any) -> Any:
        adapters = nnx.state(applied(weights), nnx.LoRAParam)
        return jax.tree.map(lambda leaf: leaf.astype(jnp.float32), adapters)

    with on(mesh):
        # qwix runs the model to find its modules: under jit, where that costs a trace and no weights.
        policy = nnx.eval_shape(lambda: applied(frozen))
        shardings = nnx.get_named_sharding(nnx.state(policy, nnx.LoRAParam), mesh)
        nnx.update(policy, jax.jit(drawn, out_shardings=shardings)(frozen))
        nnx.update(policy, nnx.state(base))
    return policy


def adapter_tensors(policy: Gemma3) -> Tensors:
    """Turns the adapters into PEFT's names and layout."""
    tensors: dict[str, np.ndarray] = {}
    flat = {path: to_host(v[...]) for path, v in _flat_adapters(policy)}
    for path, a in flat.items():
        if not str(path[-1]).endswith("_lora_a"):
            continue
        b = flat[(*path[:-1], str(path[-1])[:-1] + "b")]
        layer, modules = _place(path)
        rank = a.shape[-1]
        down = a.reshape(-1, rank).T
        ups = [b] if len(modules) == 1 else [b[:, number] for number in range(len(modules))]
        for module, up in zip(modules, ups, strict=True):
            tensors[f"{layer}.{module}.lora_A.weight"] = down
            tensors[f"{layer}.{module}.lora_B.weight"] = up.reshape(rank, -1).T
    return {name: np.ascontiguousarray(array) for name, array in sorted(tensors.items())}


def save_lora(policy: Gemma3, shape: LoraShape, directory: Path, *, base: str) -> None:
    """Writes the adapters in PEFT's form. `base` names the model they belong to.

    All processes that share the model call this, and the first writes.
    """
    tensors = dict(adapter_tensors(policy))
    if not writes(policy):
        return
    directory.mkdir(parents=True, exist_ok=True)
    config = {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "base_model_name_or_path": base,
        "r": shape.rank,
        "lora_alpha": shape.alpha,
        "lora_dropout": 0.0,
        "bias": "none",
        "target_modules": sorted({name.split(".")[-3] for name in tensors}),
    }
    (directory / "adapter_config.json").write_text(json.dumps(config, indent=2) + "\n")
    safetensors.numpy.save_file(tensors, directory / "adapter_model.safetensors", metadata={"format": "pt"})


@dataclass(frozen=True, kw_only=True, slots=True)
class Adapters:
    """Saved adapters: their shape, and A and B under PEFT's names."""

    shape: LoraShape
    tensors: Tensors

    def merged(self, name: str, weight: np.ndarray) -> np.ndarray:
        """Adds (alpha / rank) * B A to a base weight [out, in] under its hub name; float32."""
        module = _PREFIX + name.removesuffix(".weight")
        weight = weight.astype(np.float32)
        if f"{module}.lora_A.weight" not in self.tensors:
            return weight
        down, up = (self.tensors[f"{module}.lora_{half}.weight"].astype(np.float32) for half in "AB")
        return weight + (self.shape.alpha / self.shape.rank) * (up @ down)


def read_shape(directory: Path) -> LoraShape:
    """Reads rank and alpha of saved adapters.

    Raises:
        PolicyError: there are no adapters in `directory`, or they are of a kind that scales otherwise.
    """
    path = directory / "adapter_config.json"
    if not path.is_file():
        raise PolicyError(f"lora: no adapter_config.json in {str(directory)!r}: has the run finished?")
    values = json.loads(path.read_text())
    for key in ("use_rslora", "use_dora", "rank_pattern", "alpha_pattern", "modules_to_save"):
        if values.get(key):
            raise PolicyError(f"lora: {str(path)!r} has {key}={values[key]!r}: only plain LoRA is read")
    return LoraShape(rank=int(values["r"]), alpha=float(values["lora_alpha"]))


def read_adapters(directory: Path) -> Adapters:
    """Reads adapters in PEFT's form.

    Raises:
        PolicyError: a file is missing, or the adapters are of another kind.
    """
    shape = read_shape(directory)
    path = directory / "adapter_model.safetensors"
    if not path.is_file():
        raise PolicyError(f"lora: no adapter_model.safetensors in {str(directory)!r}: has the run finished?")
    return Adapters(shape=shape, tensors=safetensors.numpy.load_file(path))


def load_lora(policy: Gemma3, directory: Path) -> None:
    """Puts saved adapters into a model that has adapters of the same shape.

    Raises:
        PolicyError: the file is missing, or names and shapes do not fit the model.
    """
    tensors = read_adapters(directory).tensors
    expected = {name: array.shape for name, array in adapter_tensors(policy).items()}
    found = {name: array.shape for name, array in tensors.items()}
    if expected != found:
        wrong = sorted(set(expected.items()) ^ set(found.items()))[:2]
        raise PolicyError(f"lora: {str(directory)!r} does not fit the model, first differences: {wrong}")
    for route, variable in _flat_adapters(policy):
        variable[...] = jax.device_put(
            _from_peft(tensors, route, variable[...].shape), variable[...].sharding
        )


def _flat_adapters(policy: Gemma3) -> list[tuple[tuple[object, ...], nnx.LoRAParam]]:
    return list(nnx.to_flat_state(nnx.state(policy, nnx.LoRAParam)))


def _place(path: tuple[object, ...]) -> tuple[str, tuple[str, ...]]:
    """Returns the layer's name in PEFT's form, and the hub's names of the projections of an adapter."""
    # Tunix has ("layers", 3, ...), MaxText "layers_3".
    number = next(part for part in (str(part).removeprefix("layers_") for part in path) if part.isdigit())
    return f"{_PREFIX}model.layers.{number}", _MODULES[str(path[-2])]


def _from_peft(tensors: Tensors, route: tuple[object, ...], shape: tuple[int, ...]) -> np.ndarray:
    layer, modules = _place(route)
    if str(route[-1]).endswith("_lora_a"):
        downs = [tensors[f"{layer}.{module}.lora_A.weight"] for module in modules]
        if any(not np.array_equal(downs[0], other) for other in downs[1:]):
            raise PolicyError(
                f"lora: {layer.removeprefix(_PREFIX)!r} has one A for keys and another for values, where the "
                "model here has one for both: merge base and adapters with `make export`, and load that"
            )
        return downs[0].T.reshape(shape)
    ups = [tensors[f"{layer}.{module}.lora_B.weight"].T for module in modules]
    return np.concatenate(ups, axis=1).reshape(shape)
