"""Base weights under the hub's tensor names, in its [out, in] layout.

Shapes, with D width, N query heads, K KV heads, H head size:
    q_einsum         [N, D, H]     -> q_proj          [N*H, D]
    kv_einsum        [2, K, D, H]  -> k_proj, v_proj  [K*H, D]
    attn_vec_einsum  [N, H, D]     -> o_proj          [D, N*H]
    mlp kernels      [in, out]     -> transposed
"""

from collections.abc import Mapping

import numpy as np
from flax import nnx
from tunix.models.gemma3 import model as gemma3

from policy.errors import PolicyError
from policy.spread import to_host

Tensors = Mapping[str, np.ndarray]
Shapes = Mapping[str, tuple[int, ...]]

_NORMS = {
    "pre_attention_norm": "input_layernorm",
    "post_attention_norm": "post_attention_layernorm",
    "pre_ffw_norm": "pre_feedforward_layernorm",
    "post_ffw_norm": "post_feedforward_layernorm",
    "_query_norm": "self_attn.q_norm",
    "_key_norm": "self_attn.k_norm",
}


def hub_shapes(config: gemma3.ModelConfig) -> Shapes:
    """Lists every tensor of a checkpoint of this architecture with its shape."""
    width, hidden, head = config.embed_dim, config.hidden_dim, config.head_dim
    queries, keys = config.num_heads * head, config.num_kv_heads * head
    layer = {
        "self_attn.q_proj": (queries, width),
        "self_attn.k_proj": (keys, width),
        "self_attn.v_proj": (keys, width),
        "self_attn.o_proj": (width, queries),
        "mlp.gate_proj": (hidden, width),
        "mlp.up_proj": (hidden, width),
        "mlp.down_proj": (width, hidden),
        **{norm: (head if norm.startswith("self_attn") else width,) for norm in _NORMS.values()},
    }
    layers = {
        f"model.layers.{number}.{name}.weight": shape
        for number in range(config.num_layers)
        for name, shape in layer.items()
    }
    ends = {"model.embed_tokens.weight": (config.num_embed, width), "model.norm.weight": (width,)}
    return {**ends, **layers}


def to_tensors(model: nnx.Module) -> Tensors:
    """Turns the base weights into the hub's names and [out, in] layout, as C-ordered arrays."""
    tensors: dict[str, np.ndarray] = {}
    base = nnx.state(model, nnx.All(nnx.Param, nnx.Not(nnx.LoRAParam)))
    for path, variable in nnx.to_flat_state(base):
        tensors.update(_to_hub(tuple(map(str, path)), to_host(variable[...])))
    return {name: np.ascontiguousarray(array) for name, array in sorted(tensors.items())}


def _to_hub(path: tuple[str, ...], array: np.ndarray) -> dict[str, np.ndarray]:
    match path:
        case ("embedder", "input_embedding"):
            return {"model.embed_tokens.weight": array}
        case ("final_norm", "scale"):
            return {"model.norm.weight": array}
        case ("layers", layer, *_, name, _):
            prefix = f"model.layers.{layer}"
        case _:
            raise PolicyError(f"model: no hub name for the parameter {'.'.join(path)!r}")
    if name in _NORMS:
        return {f"{prefix}.{_NORMS[name]}.weight": array}
    if name == "q_einsum":
        return {f"{prefix}.self_attn.q_proj.weight": _heads_first(array)}
    if name == "kv_einsum":
        return {
            f"{prefix}.self_attn.k_proj.weight": _heads_first(array[0]),
            f"{prefix}.self_attn.v_proj.weight": _heads_first(array[1]),
        }
    if name == "attn_vec_einsum":
        return {f"{prefix}.self_attn.o_proj.weight": array.reshape(-1, array.shape[-1]).T}
    return {f"{prefix}.mlp.{name}.weight": array.T}


def _heads_first(weight: np.ndarray) -> np.ndarray:
    """[N, D, H] -> [N * H, D]."""
    return weight.transpose(0, 2, 1).reshape(-1, weight.shape[1])
