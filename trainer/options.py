"""The knobs of training, one dataclass a subject. What goes together is checked in `trainer.rules`.

Every knob has a unit, a default that works and a sentence; `docs/training.md` says which
settings make which published algorithm.
"""

from dataclasses import dataclass, field
from typing import Literal

from tasks.api import Domain


@dataclass(frozen=True, kw_only=True, slots=True)
class CompletionBudgets:
    """Tokens of a completion by domain; 0 is `model.max_new_tokens`."""

    math: int = 0
    """Tokens for a math problem."""
    code: int = 0
    """Tokens for a program."""
    science: int = 0
    """Tokens for a science question."""
    logic: int = 0
    """Tokens for a yes-or-no question."""
    writing: int = 0
    """Tokens for a story."""
    ideation: int = 0
    """Tokens for a list of ideas."""
    summary: int = 0
    """Tokens for a summary."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelOptions:
    pretrained: str = ""
    """Hub id or directory of a Gemma 3 text checkpoint. Empty: a tiny model is made and warm-started."""
    source: Literal["tunix", "maxtext"] = "tunix"
    """Whose code computes the model; `maxtext` needs an environment of its own (`docs/model.md`)."""
    layers: int = 2
    """Tiny model: decoder layers."""
    width: int = 64
    """Tiny model: width of the residual stream."""
    hidden: int = 256
    """Tiny model: width of the MLP."""
    head_dim: int = 32
    """Tiny model: width of an attention head."""
    vocabulary: int = 800
    """Tiny model: pieces of the tokenizer trained on the training rows, 256 byte pieces included."""
    dtype: Literal["float32", "bfloat16"] = "float32"
    """Type of the frozen weights; adapters are always float32."""
    lora_rank: int = 16
    """Rank of the adapters on all attention and MLP projections."""
    lora_alpha: float = 32.0
    """Adapters are scaled by alpha / rank."""
    fsdp: int = 1
    """Devices over which weights and batch are sharded; 0 takes all that `tp` leaves."""
    tp: int = 1
    """Devices over which heads and MLP are sharded."""
    rollout_fsdp: int = 0
    """Devices of their own that sample, behind the fsdp x tp that train; 0 samples where it trains."""
    rollout_tp: int = 1
    """Devices over which heads and MLP are sharded while sampling on devices of their own."""
    max_prompt_tokens: int = 128
    """Tokens of a rendered prompt; rows with longer ones are dropped and counted."""
    max_new_tokens: int = 64
    """Tokens of a completion, stop mark included."""
    budgets: CompletionBudgets = field(default_factory=CompletionBudgets)

    def budget(self, domain: Domain) -> int:
        """Returns the most tokens of a completion in a domain."""
        return getattr(self.budgets, domain.value) or self.max_new_tokens


@dataclass(frozen=True, kw_only=True, slots=True)
class DataOptions:
    source: Literal["embedded", "hub"] = "embedded"
    """`embedded`: the samples in this repository. `hub`: the real datasets. `--data-dir` overrides both."""
    samples: int = 30_000
    """Draws of the training mixture, repeats included; 0 draws as many as the steps need."""
    alpha: float = 0.5
    """The mixture draws a domain of n rows with probability proportional to n^alpha."""
    exhausted: Literal["repeat", "pass_rate"] = "repeat"
    """After each row of a domain was used: `repeat` in a new order, or prefer a `pass_rate` near 1/2."""


@dataclass(frozen=True, kw_only=True, slots=True)
class WarmStartOptions:
    steps: int = 0
    """Optimizer steps of supervised training before GRPO; 0 skips it."""
    batch: int = 32
    """Demonstrations a step."""
    learning_rate: float = 3e-3
    """Peak of the cosine schedule."""
    p_correct: float = 0.5
    """Share of demonstrations that keep their right answer; others get another row's answer."""
    p_well_formed: float = 0.6
    """Share of demonstrations in the right format; others lack a tag."""


@dataclass(frozen=True, kw_only=True, slots=True)
class GrpoOptions:
    prompts: int = 16
    """Prompts of a step."""
    group_size: int = 4
    """Completions of a prompt."""
    micro_prompts: int = 0
    """Prompts of a forward and backward pass, a divisor of `prompts`; 0 is all of them."""
    rollout_prompts: int = 0
    """Prompts of a sampler call, a divisor of `prompts`; 0 is all of them."""
    iterations: int = 1
    """Updates on one batch of completions; above 1, the ratio to the policy that sampled them is clipped."""
    one_step_off_policy: bool = False
    """Sample the next batch before the present update, so that rewards may take as long as sampling does."""
    learning_rate: float = 1e-3
    """Peak of the warmup-cosine schedule."""
    warmup_share: float = 0.1
    """Share of the steps in which the learning rate rises."""
    beta: float = 0.04
    """Weight of the KL penalty against the model before GRPO; 0 leaves the reference model out."""
    kl: Literal["k2", "k3"] = "k3"
    """Estimate of KL: k3 is GRPO's, k2 half the squared log-ratio."""
    advantage: Literal["std", "mean"] = "std"
    """Divide by the group's deviation (`std`, GRPO), or only subtract its `mean` (Dr. GRPO)."""
    ratio: Literal["token", "sequence"] = "token"
    """Clip the ratio of each `token` (GRPO), or of the whole `sequence` (GSPO)."""
    clip_low: float = 0.2
    """The ratio is clipped below at 1 - clip_low."""
    clip_high: float = 0.2
    """The ratio is clipped above at 1 + clip_high; DAPO's is 0.28."""
    loss_mean: Literal["sequence", "token", "constant"] = "sequence"
    """Mean over tokens of each `sequence` (GRPO), all `token`s (DAPO), or a `constant` length (Dr. GRPO)."""
    zero_variance: Literal["keep", "mask", "refill"] = "keep"
    """Groups whose rewards are all equal: keep their KL term, `mask` them, or `refill` with other prompts."""
    extra_prompts: int = 0
    """Most prompts a step draws to refill, a multiple of a sampler call's."""
    mask_truncated: bool = False
    """Leave completions that ran into their budget out of the loss; they still count in their group."""
    clip_norm: float = 1.0
    """Gradients are scaled down to this global norm."""
    weight_decay: float = 0.0
    """AdamW's decoupled weight decay."""
    temperature: float = 1.0
    """Temperature of rollouts, and of the log-probabilities in the loss."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RewardOptions:
    timeout_s: float = 120.0
    """Seconds a step waits for its outcomes, retries included."""
    max_failed_share: float = 0.25
    """A step in which more than this share of completions has no score stops the run."""
    overlap: bool = True
    """Grade in the background while sampling and training go on; the losses are the same either way."""
    disco: Literal["off", "domain", "difficulty", "both"] = "off"
    """Scale rewards by the rarity of the domain, the difficulty of the prompt, or both (arXiv 2505.15074)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class EvalOptions:
    prompts_per_domain: int = 24
    """Prompts of the test split, never trained on, asked before and after."""
    samples_per_prompt: int = 4
    """Sampled completions of a prompt; one greedy completion is added."""
    every: int = 0
    """Steps between evaluations while training, with one sampled and one greedy completion; 0 makes none."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TrackingOptions:
    tensorboard: bool = True
    """Write event files into `tensorboard/` of the run."""
    wandb: str = ""
    """Project of Weights & Biases to log to as well; needs its package. Empty: none."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ClusterOptions:
    coordinator: str = ""
    """HOST:PORT of process 0, where it listens; `auto` where JAX knows its cluster. Empty: one process."""
    processes: int = 0
    """Processes that train together, one a host; `auto` knows them."""
    process_id: int = 0
    """Which of them this is, from 0; `auto` knows it."""
    connect_s: int = 300
    """Seconds that processes wait for each other at the start."""
