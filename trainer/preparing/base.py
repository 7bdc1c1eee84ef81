"""The model that GRPO starts from: a hub checkpoint, or a tiny model warm-started here."""

import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import jax

from policy.checkpoint import DTYPES, PolicyRecord
from policy.gemma import (
    Gemma3,
    TinyShape,
    init_tiny,
    resolve_model,
    save_pretrained,
    tiny_config,
)
from policy.sources import load_base
from policy.tokenizer import Tokenizer, load_tokenizer, train_tokenizer
from tasks.api import Example, Split
from tasks.prompts import SHORT_SYSTEM, PromptTemplate
from trainer.cluster import ALONE, Cluster
from trainer.config import TrainConfig
from trainer.failures import StopRequestedError
from trainer.preparing import warm_start
from trainer.preparing.data import demonstrated
from trainer.run_files.run_directory import RunDirectory

_WARM_START = "warm_start"  # directory in the run
_LENGTH_STEP = 16  # demonstrations are padded to a multiple of this many tokens


def template_of(config: TrainConfig) -> PromptTemplate:
    """Returns the full instructions, or the short ones for a model that learns the form by imitation."""
    return PromptTemplate() if config.model.pretrained else PromptTemplate(system=SHORT_SYSTEM)


def prepare_tokenizer(
    config: TrainConfig,
    template: PromptTemplate,
    run: RunDirectory,
    *,
    examples: Sequence[Example],
    cluster: Cluster = ALONE,
) -> tuple[Tokenizer, Path]:
    """Returns the tokenizer and the directory of the base it belongs to.

    A tiny model's is trained on the training rows among `examples`.

    Raises:
        policy.errors.PolicyError: a checkpoint cannot be found; says what to put where.
    """
    if config.model.pretrained:
        directory = resolve_model(config.model.pretrained)
        return load_tokenizer(directory), directory
    directory = run.path / "base"

    def make() -> None:
        if not (directory / "tokenizer.model").is_file():
            texts = (template.render(e.prompt) + demonstrated(e) for e in examples if e.split is Split.TRAIN)
            train_tokenizer(texts, vocabulary=config.model.vocabulary, directory=directory)

    cluster.share(make)
    return load_tokenizer(directory), directory


def fits(config: TrainConfig, template: PromptTemplate, tokenizer: Tokenizer, example: Example) -> bool:
    """Says whether the prompt fits, and for a tiny model also the reply that it is to imitate."""
    limits = config.model
    if tokenizer.prompt_length(template.render(example.prompt)) > limits.max_prompt_tokens:
        return False
    if limits.pretrained:
        return True
    # One more for the stop mark.
    return len(tokenizer.encode(demonstrated(example))) + 1 <= limits.budget(example.domain)


def prepare_base(
    config: TrainConfig,
    *,
    train: Sequence[Example],
    template: PromptTemplate,
    tokenizer: Tokenizer,
    directory: Path,
    run: RunDirectory,
    mesh: jax.sharding.Mesh,
    on_step: Callable[[int, float], None],
    stopping: Callable[[], bool],
    cluster: Cluster = ALONE,
) -> Gemma3:
    """Loads the base, or makes, warm-starts and saves it; then records it in `policy.json`.

    Raises:
        StopRequestedError: `stopping` said so; a warm start goes on from there.
    """
    if not config.model.pretrained and not cluster.share(lambda: run.resumed):
        model = _new_model(config, tokenizer, mesh)
        if not _warm_start(model, config, train, template, tokenizer, mesh, run, stopping, on_step):
            raise StopRequestedError
        save_pretrained(model, directory)

    def record() -> None:
        PolicyRecord(
            base=str(directory) if config.model.pretrained else "base",
            dtype=config.model.dtype,
            system=template.system,
            prompt_hash=template.hash,
            max_prompt_tokens=config.model.max_prompt_tokens,
            max_new_tokens=config.model.max_new_tokens,
            source=config.model.source,
        ).write(run.path)
        shutil.rmtree(run.path / _WARM_START, ignore_errors=True)

    cluster.share(record)
    # Also a base made just now is read back, so that a resumed run starts from the same numbers.
    return load_base(directory, source=config.model.source, dtype=DTYPES[config.model.dtype], mesh=mesh)


def _new_model(config: TrainConfig, tokenizer: Tokenizer, mesh: jax.sharding.Mesh) -> Gemma3:
    options = config.model
    shape = TinyShape(
        layers=options.layers,
        width=options.width,
        hidden=options.hidden,
        head_dim=options.head_dim,
        context=options.max_prompt_tokens + options.max_new_tokens,
    )
    return init_tiny(tiny_config(shape, vocabulary=tokenizer.vocabulary), seed=config.seed, mesh=mesh)


def _warm_start(
    model: Gemma3,
    config: TrainConfig,
    train: Sequence[Example],
    template: PromptTemplate,
    tokenizer: Tokenizer,
    mesh: jax.sharding.Mesh,
    run: RunDirectory,
    stopping: Callable[[], bool],
    on_step: Callable[[int, float], None],
) -> bool:
    teacher = warm_start.NoisyTeacher(train, config.warm_start, seed=config.seed)
    longest = max(len(tokenizer.encode(template.render(e.prompt) + demonstrated(e))) + 2 for e in train)
    length = -(-longest // _LENGTH_STEP) * _LENGTH_STEP

    def data_from(step: int) -> Iterator[warm_start.TokenBatch]:
        return warm_start.demonstrations(
            teacher, template, tokenizer, config.warm_start, length=length, first=step
        )

    return warm_start.train(
        model,
        data_from,
        config.warm_start,
        mesh=mesh,
        directory=run.path / _WARM_START,
        stopping=stopping,
        on_step=on_step,
    )
