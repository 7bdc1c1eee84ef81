"""The configuration of a run, read from a YAML file and the command line.

A YAML file is read as arguments (`grpo: {beta: 0.04}` is `--grpo.beta 0.04`), and the
command line overrides it, so that there is one definition, one check and one error message
for a key wherever it was written.
"""

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import tyro
import yaml

from trainer import rules
from trainer.options import (
    ClusterOptions,
    DataOptions,
    EvalOptions,
    GrpoOptions,
    ModelOptions,
    RewardOptions,
    TrackingOptions,
    WarmStartOptions,
)

CONFIG_DIR = Path(__file__).parent / "configs"


class ConfigurationError(Exception):
    """A configuration file or an argument says something impossible; names it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainConfig:
    name: str = "custom"
    """Name of the configuration, as in the directory of a run."""
    seed: int = 0
    """Seed of weights, data order and sampling."""
    steps: int = 100
    """Steps of GRPO: a batch of completions each, followed by `grpo.iterations` updates."""
    data_dir: Path | None = None
    """Directory of local datasets under the hub's column names; unset: `data.source`."""
    run_dir: Path | None = None
    """Directory of the run; unset: the unfinished run of this configuration, or a new one in `runs/`."""
    fresh: bool = False
    """Start anew even if an unfinished run of this configuration exists."""
    checkpoint_every: int = 20
    """Steps between checkpoints."""
    rollouts_every: int = 1
    """Steps between those whose completions are all written to `rollouts/`; 0 writes none."""
    model: ModelOptions = field(default_factory=ModelOptions)
    data: DataOptions = field(default_factory=DataOptions)
    warm_start: WarmStartOptions = field(default_factory=WarmStartOptions)
    grpo: GrpoOptions = field(default_factory=GrpoOptions)
    rewards: RewardOptions = field(default_factory=RewardOptions)
    evals: EvalOptions = field(default_factory=EvalOptions)
    tracking: TrackingOptions = field(default_factory=TrackingOptions)
    cluster: ClusterOptions = field(default_factory=ClusterOptions)


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
    from_file = _as_arguments(path)
    try:
        _read(from_file)
    except SystemExit:
        sys.stderr.write(f"config: these options are keys of {str(path)!r}\n")
        raise
    config = _read([*from_file, *arguments])
    for problem in problems(config):
        raise ConfigurationError(problem)
    return config


def _read(arguments: Sequence[str]) -> TrainConfig:
    return tyro.cli(
        TrainConfig,
        args=arguments,
        prog="python -m trainer",
        description="Trains a policy. `--config tiny|gemma3_1b|FILE` reads a file; the rest overrides it.",
    )


def problems(config: TrainConfig) -> Iterator[str]:
    """Yields why a configuration cannot work: keys, values, and what to choose instead."""
    if config.steps < 1:
        yield f"steps: need at least 1, got {config.steps}"
    if config.checkpoint_every < 1:
        yield f"checkpoint_every: need at least 1, got {config.checkpoint_every}"
    if config.evals.every < 0:
        yield f"evals.every: need 0 or more steps, got {config.evals.every}"
    if not config.model.pretrained and config.warm_start.steps <= 0:
        yield "warm_start.steps: a tiny model made from nothing needs a warm start, got 0"
    yield from rules.of_model(config.model)
    yield from rules.of_grpo(config.grpo)
    yield from rules.of_rewards(config.rewards, config.grpo)
    yield from rules.of_cluster(config.cluster, config.model)


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
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigurationError(f"config: {str(path)!r} is no YAML that can be read: {error}") from error
    if not isinstance(values, Mapping):
        raise ConfigurationError(f"config: {str(path)!r} must hold a mapping of keys to values")
    return list(_flatten(values, prefix="--"))


def _flatten(values: Mapping[str, object], *, prefix: str) -> Iterator[str]:
    for key, value in values.items():
        name = f"{prefix}{str(key).replace('_', '-')}"
        if isinstance(value, Mapping):
            yield from _flatten(value, prefix=f"{name}.")
        elif isinstance(value, bool):
            yield name if value else f"{prefix}no-{name.removeprefix(prefix)}"
        else:
            yield from (name, str(value))
