"""Arithmetic of a Gemma 3 model, and what a device could do: the two halves of a utilisation.

Model FLOPs are counted as in PaLM (Chowdhery et al. 2022, arXiv 2204.02311, appendix B): what
the mathematics needs, two per multiply-add, and nothing for recomputation or for tokens that
are masked. A GRPO step with LoRA needs, per token of prompt and completion:

    policy, forward                          1 x `forward`
    policy, backward to the activations      1 x `forward`
    policy, backward to the weights          only of the adapters: `adapters`
    reference, forward                       1 x `forward`, where beta is not 0
    sampling                                 1 x `forward`

A full fine-tune has 2 x `forward` backwards, hence the familiar 6 N; with frozen weights it is 4 N.
"""

from dataclasses import dataclass

from policy.gemma import ModelConfig
from policy.lora import LoraShape

_LOCAL_LAYERS_PER_GLOBAL = 5


@dataclass(frozen=True, kw_only=True, slots=True)
class TokenFlops:
    """FLOPs of one token. `forward` is of the whole model, `adapters` of the adapters alone."""

    forward: float
    adapters: float

    @property
    def update(self) -> float:
        """Forward and backward of an update of the adapters."""
        return 2 * self.forward + 3 * self.adapters

    def grpo(self, *, reference: bool = True) -> float:
        """A whole GRPO step: sampling, the reference's log-probabilities if any, and the update."""
        return self.update + (2 if reference else 1) * self.forward + self.adapters


def model_flops_per_token(config: ModelConfig, *, context: int, lora: LoraShape | None = None) -> TokenFlops:
    """Counts the FLOPs of a token that attends to `context` / 2 tokens before it on average.

    Local layers attend to no more than their window. The embedding is a look-up and costs
    nothing, the output over the vocabulary is a product and counts.
    """
    heads = config.num_heads * config.head_dim
    keys = config.num_kv_heads * config.head_dim
    projections = config.embed_dim * (2 * heads + 2 * keys)
    mlp = 3 * config.embed_dim * config.hidden_dim
    output = config.embed_dim * config.num_embed
    globals_ = config.num_layers // (_LOCAL_LAYERS_PER_GLOBAL + 1)
    local = _attended(context, config.sliding_window_size)
    attended = globals_ * _attended(context, None) + (config.num_layers - globals_) * local
    matrices = config.num_layers * (projections + mlp) + output
    return TokenFlops(
        # Scores and weighted values: two products of `heads` for each attended token.
        forward=2.0 * matrices + 4.0 * heads * attended,
        adapters=2.0 * config.num_layers * _adapter_parameters(config, lora.rank if lora else 0),
    )


def _attended(context: int, window: int | None) -> float:
    """Mean number of tokens that the tokens of a sequence of `context` attend to, themselves included."""
    if window is None or window >= context:
        return (context + 1) / 2
    return window - window * (window - 1) / (2 * context)


def _adapter_parameters(config: ModelConfig, rank: int) -> int:
    width, hidden = config.embed_dim, config.hidden_dim
    heads, keys = config.num_heads * config.head_dim, 2 * config.num_kv_heads * config.head_dim
    sides = ((width, heads), (width, keys), (heads, width), (width, hidden), (width, hidden), (hidden, width))
    return rank * sum(inputs + outputs for inputs, outputs in sides)


# Dense bfloat16 peaks in FLOP/s of one device, under both spellings of `jax.Device.device_kind`
# that JAX itself knows. From Google's pages on each generation, "Peak compute per chip (bf16)":
# cloud.google.com/tpu/docs/v3 (123 TFLOP/s for a chip of two devices), /v4, /v5e, /v5p, /v6e.
_PEAKS = {
    "TPU v3": 61.5e12,
    "TPU v4": 275e12,
    "TPU v5 lite": 197e12,
    "TPU v5e": 197e12,
    "TPU v5": 459e12,
    "TPU v5p": 459e12,
    "TPU v6 lite": 918e12,
    "TPU v6e": 918e12,
}


def peak_flops(device_kind: str) -> float | None:
    """Returns the bfloat16 peak of one TPU in FLOP/s; None elsewhere, where no maker's page was read."""
    return _PEAKS.get(device_kind)
