"""Gemma 3 computed by MaxText instead of Tunix, from the same files (MaxText 0.2.5; optional).

Only this file knows MaxText, and imports it when it is asked for: MaxText needs Python 3.12 and
a newer JAX than the rest of this project is pinned to, and changes `jax.lax` when imported.

MaxText's layouts, with D width, N query heads, K KV heads, H head size:
    query            [D, N, H]     <- q_proj          [N*H, D]
    key, value       [D, K, H]     <- k_proj, v_proj  [K*H, D]
    out              [N, H, D]     <- o_proj          [D, N*H]
    wi_0, wi_1, wo   [in, out]     <- gate_proj, up_proj, down_proj, transposed
    scale            1 + the hub's weight of a norm
    embedding        the hub's, times sqrt(D) in the type of the weights
"""

import importlib
import importlib.util
import logging
import sys
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from tunix.models.gemma3 import model as gemma3

from policy import hub_files
from policy.errors import PolicyError
from policy.gemma import on, place, read_config

INSTALL = "make maxtext"
_MIN_PYTHON = (3, 12)
# The hub's names of what MaxText calls by the path behind `layers_N`.
_HUB = {
    "self_attention.query.kernel": "self_attn.q_proj",
    "self_attention.key.kernel": "self_attn.k_proj",
    "self_attention.value.kernel": "self_attn.v_proj",
    "self_attention.out.kernel": "self_attn.o_proj",
    "self_attention.query_norm.scale": "self_attn.q_norm",
    "self_attention.key_norm.scale": "self_attn.k_norm",
    "mlp.wi_0.kernel": "mlp.gate_proj",
    "mlp.wi_1.kernel": "mlp.up_proj",
    "mlp.wo.kernel": "mlp.down_proj",
    "pre_self_attention_norm.scale": "input_layernorm",
    "post_self_attention_norm.scale": "post_attention_layernorm",
    "pre_ffw_norm.scale": "pre_feedforward_layernorm",
    "post_ffw_norm.scale": "post_feedforward_layernorm",
}


def check_installed(version: tuple[int, ...] = sys.version_info[:2]) -> None:
    """Makes sure that MaxText can be imported.

    Raises:
        PolicyError: Python is too old, or MaxText is not there; says how to get it.
    """
    if version < _MIN_PYTHON:
        raise PolicyError(
            f"model.source='maxtext' needs Python {_dotted(_MIN_PYTHON)} or newer, this is "
            f"{_dotted(version)}: run `{INSTALL}`, which makes an environment of its own, and use its "
            "Python, or leave out model.source"
        )
    if importlib.util.find_spec("maxtext") is None:
        raise PolicyError(
            f"model.source='maxtext': the package maxtext is not installed here: run `{INSTALL}`, which "
            "makes an environment of its own, and use its Python, or leave out model.source"
        )


class MaxTextGemma3(nnx.Module):
    """MaxText's model under the call that sampling and training here make. It has no KV cache."""

    def __init__(self, adapter: Any, config: gemma3.ModelConfig) -> None:
        self.adapter = adapter
        self.config = config

    def __call__(
        self, last_tokens: jax.Array, positions: jax.Array, cache: None, attention_mask: jax.Array
    ) -> tuple[jax.Array, None]:
        """Returns logits [rows, tokens, vocabulary] in float32, of tokens [rows, tokens].

        Only the last row of `attention_mask` is read, as the tokens that are no padding; MaxText
        attends causally among those. Logits of padding are those of no token, and mean nothing.
        """
        if cache is not None:
            raise PolicyError("model.source='maxtext': MaxText's model has no KV cache here")
        logits, _ = self.adapter(last_tokens, positions, None, attention_mask)
        return logits.astype(jnp.float32), None

    def get_model_input(self) -> dict[str, Any]:
        """Returns arguments of the smallest call, by which qwix finds the modules."""
        return {
            "last_tokens": jnp.ones((1, 1), jnp.int32),
            "positions": jnp.zeros((1, 1), jnp.int32),
            "cache": None,
            "attention_mask": jnp.ones((1, 1, 1), jnp.bool_),
        }


def load_pretrained(directory: Path, *, dtype: Any, mesh: jax.sharding.Mesh) -> MaxTextGemma3:
    """Loads a checkpoint in the hub's form into MaxText's model, on the one device of `mesh`.

    Raises:
        PolicyError: MaxText is missing, the mesh is larger, or the files are not Gemma 3 text weights.
    """
    check_installed()
    if mesh.size != 1:
        raise PolicyError(
            f"model.source='maxtext' runs on one device here, the mesh has {mesh.size}: shard with MaxText's "
            "own trainer, which takes this project's rewards (docs/other-trainers.md)"
        )
    config = read_config(directory)
    if config.local_scale_factor != 1.0:
        raise PolicyError(
            f"model: config.json has positions of local layers divided by {config.local_scale_factor}, which "
            "MaxText's model does not do: leave out model.source"
        )
    hub_files.check(directory, config)
    config.param_dtype = dtype
    stored = hub_files.read_headers(directory)
    with on(mesh):
        model = _build(config, mesh)
        for path, variable in nnx.to_flat_state(nnx.state(model, nnx.Param)):
            route = tuple(map(str, path))
            name = _hub_name(route)
            array = jnp.asarray(stored[name].read(name)).astype(dtype)
            variable[...] = _from_hub(route, array, variable[...].shape)
        return place(_plain(model), mesh)


def _build(config: gemma3.ModelConfig, mesh: jax.sharding.Mesh) -> MaxTextGemma3:
    importlib.import_module("transformers").logging.set_verbosity_error()
    # By name: an optional package, which type checkers do not find.
    pyconfig, tunix_adapter, paths, meshes, creation = (
        importlib.import_module(f"maxtext.{name}")
        for name in (
            "configs.pyconfig",
            "integration.tunix.tunix_adapter",
            "utils.globals",
            "utils.maxtext_utils",
            "utils.model_creation_utils",
        )
    )
    dtype = jnp.dtype(config.param_dtype).name
    base = Path(str(paths.MAXTEXT_CONFIGS_DIR)) / "base.yml"
    # Of a directory that is never written, and of models that are not this one.
    logging.getLogger("absl").setLevel(logging.ERROR)
    settings = pyconfig.initialize(
        ["", str(base)],
        # MaxText has no 270M and no 1B; its names choose the scale of queries, all else is overridden.
        model_name=_family(config),
        override_model_config=True,
        base_num_decoder_layers=config.num_layers,
        base_emb_dim=config.embed_dim,
        base_num_query_heads=config.num_heads,
        base_num_kv_heads=config.num_kv_heads,
        base_mlp_dim=config.hidden_dim,
        head_dim=config.head_dim,
        vocab_size=config.num_embed,
        sliding_window_size=config.sliding_window_size,
        local_rope_max_timescale=config.local_base_frequency,
        rope_max_timescale=config.global_base_frequency,
        rope_linear_scaling_factor=config.global_scale_factor,
        dtype=dtype,
        weight_dtype=dtype,
        scan_layers=False,
        remat_policy="full",
        # The kernels for TPUs are chosen by MaxText's trainer; this one is on every device.
        attention="dot_product",
        use_multimodal=False,
        run_name="assay",
        enable_checkpointing=False,
        skip_jax_distributed_system=True,
        log_config=False,
    )
    inner = meshes.get_mesh_from_config(settings, list(mesh.devices.flat))
    model = creation.from_config(settings, mesh=inner, rngs=nnx.Rngs(0))
    return MaxTextGemma3(tunix_adapter.TunixMaxTextAdapter(base_model=model), config)


def _family(config: gemma3.ModelConfig) -> str:
    by_head = gemma3.QueryPreAttentionNormalisation.BY_ONE_OVER_SQRT_HEAD_DIM
    return "gemma3-4b" if config.query_pre_attn_norm is by_head else "gemma3-27b"


def _plain(model: MaxTextGemma3) -> MaxTextGemma3:
    """Forgets MaxText's logical axes, which this project's mesh lacks, and keys, which nothing draws from.

    Keys that modules share would part when adapters are put in, and the reference no longer be the base.
    """
    keys = nnx.Rngs | nnx.RngStream
    for _, node in nnx.iter_graph(model):
        if isinstance(node, nnx.Variable):
            node.set_metadata(sharding=None, out_sharding=None, sharding_names=None)
        elif isinstance(node, nnx.Module) and isinstance(getattr(node, "rngs", None), keys):
            node.rngs = None  # pyright: ignore[reportAttributeAccessIssue] - nnx.Module declares none
    return model


def _hub_name(route: tuple[str, ...]) -> str:
    match route[2:]:
        case ("token_embedder", "embedding"):
            return "model.embed_tokens.weight"
        case ("decoder", "decoder_norm", "scale"):
            return "model.norm.weight"
        case ("decoder", layer, *rest) if layer.startswith("layers_") and ".".join(rest) in _HUB:
            return f"model.layers.{layer.removeprefix('layers_')}.{_HUB['.'.join(rest)]}.weight"
    raise PolicyError(f"model: MaxText's parameter {'.'.join(route)!r} is in no Gemma 3 text checkpoint")


def _from_hub(route: tuple[str, ...], array: jax.Array, shape: tuple[int, ...]) -> jax.Array:
    if route[-1] == "embedding":
        return array * jnp.asarray(np.sqrt(shape[-1]), array.dtype)
    if route[-1] == "scale":
        return array + 1
    return array.T.reshape(shape)


def _dotted(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version))
