"""What a run is trained on and judged by: a mixture of training rows, and prompts held out.

Held-out prompts are of the test split; where a domain has none, they are taken out of its
training rows. Rows that do not fit into the model's lengths, and training rows that repeat
a held-out row, are dropped and counted. Every choice is a function of the configuration.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from random import Random

from tasks.api import Domain, Example, Split
from tasks.contamination import drop_contaminated
from tasks.hub import Hub
from tasks.mixing import Mixture
from tasks.prompts import demonstration_text
from tasks.sources import Directory as DataDirectory
from tasks.sources import Loaded, Source, embedded, load
from trainer.config import ConfigurationError, TrainConfig


@dataclass(frozen=True, kw_only=True, slots=True)
class Rows:
    """Examples of one run before mixing.

    `dropped` counts rows by why they were left out; `repeats` are the ids of training rows that
    repeat a held-out one.
    """

    train: tuple[Example, ...]
    held_out: tuple[Example, ...]
    dropped: Mapping[str, int]
    skipped: Mapping[str, str]
    repeats: tuple[str, ...] = ()


def load_rows(config: TrainConfig) -> Loaded:
    """Loads the training and test rows of every dataset that the source has.

    Raises:
        tasks.errors.TasksError: the source cannot be read; says what to put where.
    """
    return load(source_of(config), splits=(Split.TRAIN, Split.TEST))


def choose_rows(loaded: Loaded, config: TrainConfig, *, fits: Callable[[Example], bool]) -> Rows:
    """Holds prompts out, and keeps the training rows that `fits` accepts and no held-out row repeats.

    Raises:
        ConfigurationError: no row fits.
    """
    fitting = [example for example in loaded.examples if fits(example)]
    train = [example for example in fitting if example.split is Split.TRAIN]
    test = [example for example in fitting if example.split is Split.TEST]
    held_out = _hold_out(train, test, config.evals.prompts_per_domain)
    taken = {example.example_id for example in held_out}
    screened = drop_contaminated([e for e in train if e.example_id not in taken], held_out)
    if not screened.kept:
        limits = config.model
        raise ConfigurationError(
            f"none of {len(loaded.examples)} rows fits into max_prompt_tokens={limits.max_prompt_tokens} and "
            f"max_new_tokens={limits.max_new_tokens}: raise --model.max-prompt-tokens, --model.max-new-tokens"
        )
    return Rows(
        train=screened.kept,
        held_out=tuple(held_out),
        dropped={
            "too long": len(loaded.examples) - len(fitting),
            "like a held-out prompt": len(screened.dropped),
            "unusable": len(loaded.excluded),
        },
        skipped=loaded.skipped,
        repeats=tuple(example.example_id for example in screened.dropped),
    )


def source_of(config: TrainConfig) -> Source:
    """Returns where the rows come from."""
    if config.data_dir is not None:
        return DataDirectory(config.data_dir)
    return embedded() if config.data.source == "embedded" else Hub()


def demonstrated(example: Example) -> str:
    """Writes the reply that the example's own demonstration gives."""
    return demonstration_text(example.demonstration.reasoning, example.demonstration.answer)


def without_domain(rows: Rows, domain: Domain) -> Rows:
    """Leaves one domain out of both sides."""
    return replace(
        rows,
        train=tuple(example for example in rows.train if example.domain is not domain),
        held_out=tuple(example for example in rows.held_out if example.domain is not domain),
    )


def mix(rows: Rows, config: TrainConfig) -> Mixture:
    """Draws the training mixture; position i of it does not depend on what was asked before."""
    total = config.data.samples or config.steps * (config.grpo.prompts + config.grpo.extra_prompts)
    return Mixture(rows.train, total=total, seed=config.seed, alpha=config.data.alpha)


def _hold_out(train: Sequence[Example], test: Sequence[Example], per_domain: int) -> list[Example]:
    # The same prompts for every seed of a run, so that runs can be compared.
    held_out: list[Example] = []
    by_domain: dict[Domain, list[Example]] = defaultdict(list)
    for example in test:
        by_domain[example.domain].append(example)
    for domain in Domain:
        pool = by_domain[domain] or [example for example in train if example.domain is domain]
        if pool:
            chosen = Random(f"held out/{domain.value}").sample(pool, min(per_domain, len(pool)))  # noqa: S311 - rows
            held_out.extend(chosen)
    return held_out
