"""`config.json` of a Gemma 3 text model, to and from Tunix's `ModelConfig`. Values only, no files.

Tunix's model has some things built in that a `config.json` can ask for otherwise. A value
that it would not honour is refused here: a model that loads but computes something else
would be found out only by its answers. Both spellings of the rotary settings are read, the
one of Google's published files (`rope_theta`, `rope_local_base_freq`, `rope_scaling`) and
that of transformers 5 (`rope_parameters`).
"""

from collections.abc import Iterator, Mapping
from typing import Any

from tunix.models.gemma3 import model as gemma3

from policy.errors import PolicyError

_PATTERN = ("sliding_attention",) * 5 + ("full_attention",)

# What Tunix 0.1.7 computes whatever the configuration says; absent means the same.
_BUILT_IN: Mapping[str, Any] = {
    "model_type": "gemma3_text",
    "rms_norm_eps": 1e-6,
    "hidden_activation": "gelu_pytorch_tanh",
    "attention_bias": False,
    "attn_logit_softcapping": None,
    "final_logit_softcapping": None,
    "tie_word_embeddings": True,
    "use_bidirectional_attention": False,
}


def from_hub(values: Mapping[str, Any]) -> gemma3.ModelConfig:
    """Translates the values of `config.json`.

    Raises:
        PolicyError: a key is missing, or asks for what the model would not compute.
    """
    for problem in _problems(values):
        raise PolicyError(f"model: config.json: {problem}")
    try:
        rope = _rope(values)
        return gemma3.ModelConfig(
            num_layers=values["num_hidden_layers"],
            num_embed=values["vocab_size"],
            embed_dim=values["hidden_size"],
            hidden_dim=values["intermediate_size"],
            num_heads=values["num_attention_heads"],
            head_dim=values["head_dim"],
            num_kv_heads=values["num_key_value_heads"],
            sliding_window_size=values["sliding_window"],
            local_base_frequency=int(rope["sliding_attention"]["rope_theta"]),
            global_base_frequency=int(rope["full_attention"]["rope_theta"]),
            local_scale_factor=_scale(rope["sliding_attention"]),
            global_scale_factor=_scale(rope["full_attention"]),
            query_pre_attn_norm=_query_norm(values),
        )
    except KeyError as error:
        raise PolicyError(f"model: config.json has no {error.args[0]!r}: not a Gemma 3 text model") from error


def to_hub(config: gemma3.ModelConfig) -> dict[str, Any]:
    """Writes a configuration under the keys of Google's published files."""
    rope_scaling = None
    if config.global_scale_factor != 1.0:
        rope_scaling = {"rope_type": "linear", "factor": config.global_scale_factor}
    norms = gemma3.QueryPreAttentionNormalisation
    by_head = config.query_pre_attn_norm is norms.BY_ONE_OVER_SQRT_HEAD_DIM
    return {
        "architectures": ["Gemma3ForCausalLM"],
        **_BUILT_IN,
        "num_hidden_layers": config.num_layers,
        "vocab_size": config.num_embed,
        "hidden_size": config.embed_dim,
        "intermediate_size": config.hidden_dim,
        "num_attention_heads": config.num_heads,
        "num_key_value_heads": config.num_kv_heads,
        "head_dim": config.head_dim,
        "query_pre_attn_scalar": config.head_dim if by_head else config.embed_dim // config.num_heads,
        "sliding_window": config.sliding_window_size,
        "sliding_window_pattern": len(_PATTERN),
        "rope_local_base_freq": config.local_base_frequency,
        "rope_theta": config.global_base_frequency,
        "rope_scaling": rope_scaling,
        "pad_token_id": 0,
        "eos_token_id": 1,
        "bos_token_id": 2,
    }


def _problems(values: Mapping[str, Any]) -> Iterator[str]:
    for key, expected in _BUILT_IN.items():
        found = values.get(key) if key == "model_type" else values.get(key, expected)
        if found != expected:
            yield f"{key} is {found!r}, need {expected!r}"
    if values.get("num_attention_heads") == values.get("num_key_value_heads"):
        # Tunix then fuses q, k and v into one parameter, which no adapter of the recipe fits.
        yield f"as many key-value heads as heads ({values.get('num_attention_heads')}): no Gemma 3 has that"
    layers = values.get("num_hidden_layers", 0)
    found = list(values.get("layer_types") or _layer_types(values, layers))
    if found != [_PATTERN[layer % len(_PATTERN)] for layer in range(layers)]:
        yield f"layer_types is {found!r:.80}, need five of {_PATTERN[0]!r} to one of {_PATTERN[-1]!r}"


def _layer_types(values: Mapping[str, Any], layers: int) -> Iterator[str]:
    every = values.get("sliding_window_pattern", len(_PATTERN))
    for layer in range(1, layers + 1):
        yield "sliding_attention" if layer % every else "full_attention"


def _rope(values: Mapping[str, Any]) -> Mapping[str, Mapping[str, Any]]:
    if values.get("rope_parameters"):
        return values["rope_parameters"]
    scaling = values.get("rope_scaling") or {}
    return {
        "sliding_attention": {"rope_theta": values["rope_local_base_freq"]},
        "full_attention": {"rope_theta": values["rope_theta"], **scaling},
    }


def _scale(rope: Mapping[str, Any]) -> float:
    """Positions are divided by this: linear interpolation, as in the 4B and above."""
    kind = rope.get("rope_type", "default")
    if kind == "default":
        return 1.0
    if kind == "linear":
        return float(rope["factor"])
    raise PolicyError(f"model: config.json: rope_type is {kind!r}, need 'default' or 'linear'")


def _query_norm(values: Mapping[str, Any]) -> gemma3.QueryPreAttentionNormalisation:
    norms = gemma3.QueryPreAttentionNormalisation
    head_dim = values["head_dim"]
    scalar = values.get("query_pre_attn_scalar", head_dim)
    if scalar == head_dim:
        return norms.BY_ONE_OVER_SQRT_HEAD_DIM
    if scalar == values["hidden_size"] // values["num_attention_heads"]:
        return norms.BY_ONE_OVER_SQRT_EMBED_DIM_DIV_NUM_HEADS
    raise PolicyError(
        f"model: config.json: query_pre_attn_scalar is {scalar!r}, need head_dim ({head_dim}) or "
        f"hidden_size // num_attention_heads"
    )
