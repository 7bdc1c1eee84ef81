"""Every knob of training: frozen dataclasses, read from a YAML file and the command line.

A YAML file is read as arguments (`grpo: {beta: 0.04}` is `--grpo.beta 0.04`), and the
command line overrides it, so that there is one definition, one check and one error message
for a key wherever it was written.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal

import tyro
import yaml

CONFIG_DIR = Path(__file__).parent / "configs"


class ConfigurationError(Exception):
    """A configuration file or an argument says something impossible; names it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelOptions:
    pretrained: str = ""
    """Hub id or directory of a Gemma 3 text checkpoint. Empty: a tiny model is made and warm-started."""
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
    max_prompt_tokens: int = 128
    """Tokens of a rendered prompt; rows with longer ones are dropped and counted."""
    max_new_tokens: int = 64
    """Tokens of a completion, stop mark included."""


@dataclass(frozen=True, kw_only=True, slots=True)
class DataOptions:
    source: Literal["embedded", "hub"] = "embedded"
    """`embedded`: the samples in this repository. `hub`: the real datasets. `--data-dir` overrides both."""
    samples: int = 30_000
    """Draws of the training mixture, repeats included; 0 draws as many as the steps need."""
    alpha: float = 0.5
    """The mixture draws a domain of n rows with probability proportional to n^alpha."""


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
    """Prompts of an optimizer step."""
    group_size: int = 4
    """Completions of a prompt."""
    micro_prompts: int = 0
    """Prompts of a forward and backward pass, a divisor of `prompts`; 0 is all of them."""
    learning_rate: float = 1e-3
    """Peak of the warmup-cosine schedule."""
    warmup_share: float = 0.1
    """Share of the steps in which the learning rate rises."""
    beta: float = 0.04
    """Weight of the KL penalty (k3 estimate) against the model before GRPO."""
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


@dataclass(frozen=True, kw_only=True, slots=True)
class EvalOptions:
    prompts_per_domain: int = 24
    """Prompts of the test split, never trained on, asked before and after."""
    samples_per_prompt: int = 4
    """Sampled completions of a prompt; one greedy completion is added."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainConfig:
    name: str = "custom"
    """Name of the configuration, as in the directory of a run."""
    seed: int = 0
    """Seed of weights, data order and sampling."""
    steps: int = 100
    """Optimizer steps of GRPO."""
    data_dir: Path | None = None
    """Directory of local datasets under the hub's column names; unset: `data.source`."""
    run_dir: Path | None = None
    """Directory of the run; unset: the unfinished run of this configuration, or a new one in `runs/`."""
    fresh: bool = False
    """Start anew even if an unfinished run of this configuration exists."""
    checkpoint_every: int = 20
    """Steps between checkpoints."""
    model: ModelOptions = field(default_factory=ModelOptions)
    data: DataOptions = field(default_factory=DataOptions)
    warm_start: WarmStartOptions = field(default_factory=WarmStartOptions)
    grpo: GrpoOptions = field(default_factory=GrpoOptions)
    rewards: RewardOptions = field(default_factory=RewardOptions)
    evals: EvalOptions = field(default_factory=EvalOptions)


def parse(arguments: Sequence[str]) -> TrainConfig:
    """Reads `--config NAME_OR_FILE` (tiny without one) and the arguments that override it.

    Raises:
        ConfigurationError: no such file, not a mapping, or values that do not go together.
        SystemExit: an unknown key or a value of the wrong type; the message names the nearest key.
    """
    arguments = list(arguments)
    chosen = "tiny"
    for index, argument in enumerate(arguments):
        if argument == "--config" and index + 1 < len(arguments):
            chosen = arguments[index + 1]
            del arguments[index : index + 2]
            break
        if argument.startswith("--config="):
            chosen = argument.removeprefix("--config=")
            del arguments[index]
            break
    path = _find(chosen)
    config = tyro.cli(
        TrainConfig,
        args=[*_as_arguments(path), *arguments],
        prog="python -m trainer",
        description="Trains a policy. `--config tiny|gemma3_1b|FILE` reads a file; the rest overrides it.",
    )
    _check(config)
    return config


def to_yaml(config: TrainConfig) -> str:
    """Writes a configuration in the form that `parse` reads."""
    values = asdict(config)
    plain = {
        key: str(value) if isinstance(value, Path) else value
        for key, value in values.items()
        if value is not None
    }
    return yaml.safe_dump(plain, sort_keys=False)


def _find(chosen: str) -> Path:
    for path in (Path(chosen), CONFIG_DIR / f"{chosen}.yaml"):
        if path.is_file():
            return path
    known = sorted(path.stem for path in CONFIG_DIR.glob("*.yaml"))
    raise ConfigurationError(f"config: no file {chosen!r} and no configuration of that name; known: {known}")


def _as_arguments(path: Path) -> list[str]:
    values = yaml.safe_load(path.read_text())
    if not isinstance(values, Mapping):
        raise ConfigurationError(f"config: {str(path)!r} must hold a mapping of keys to values")
    return list(_flatten(values, prefix="--"))


def _flatten(values: Mapping[str, object], *, prefix: str) -> Iterator[str]:
    for key, value in values.items():
        name = f"{prefix}{str(key).replace('_', '-')}"
        if isinstance(value, Mapping):
            yield from _flatten(value, prefix=f"{name}.")
        elif isinstance(value, bool):
            yield name if value else name.replace("--", "--no-", 1)
        else:
            yield from (name, str(value))


def _check(config: TrainConfig) -> None:
    grpo = config.grpo
    rules = (
        (config.steps >= 1, f"steps: need at least 1, got {config.steps}"),
        (config.checkpoint_every >= 1, f"checkpoint_every: need at least 1, got {config.checkpoint_every}"),
        (
            grpo.group_size >= 2,
            f"grpo.group_size: a group needs at least 2 completions, got {grpo.group_size}",
        ),
        (
            grpo.micro_prompts == 0 or grpo.prompts % grpo.micro_prompts == 0,
            f"grpo.micro_prompts: {grpo.micro_prompts} does not divide grpo.prompts={grpo.prompts}",
        ),
        (grpo.temperature > 0, f"grpo.temperature: need more than 0 to explore, got {grpo.temperature}"),
        (
            0 <= config.rewards.max_failed_share < 1,
            f"rewards.max_failed_share: need a share in [0, 1), got {config.rewards.max_failed_share}",
        ),
        (
            bool(config.model.pretrained) or config.warm_start.steps > 0,
            "warm_start.steps: a tiny model made from nothing needs a warm start, got 0",
        ),
    )
    for holds, message in rules:
        if not holds:
            raise ConfigurationError(message)
