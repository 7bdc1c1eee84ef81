"""The assembly of a run: data, warm start, evaluation, GRPO, evaluation, summary.

Each phase leaves its result in the run's directory, so that a run that was stopped goes
on behind the last phase, and within GRPO from the last checkpoint.
"""

import contextlib
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

import jax
import numpy as np

from policy.gemma import Gemma3, make_mesh
from policy.lora import LoraShape, apply_lora, save_lora
from policy.sampling import GenerationShape, Generator
from policy.tokenizer import Tokenizer
from reward_client.api import RewardClientError
from tasks.api import Example
from tasks.mixing import Mixture
from tasks.prompts import PromptTemplate
from trainer.accounts import run_record, summarise
from trainer.base import fits, prepare_base, prepare_tokenizer, template_of
from trainer.config import TrainConfig
from trainer.data import Rows, choose_rows, load_rows, mix, without_domain
from trainer.evaluation import Evaluation, evaluate, read_evaluation
from trainer.probe import Probed, probe
from trainer.progress import Progress
from trainer.records import Summary
from trainer.report import write_summary
from trainer.rewards import TooManyFailuresError
from trainer.run_directory import RunDirectory
from trainer.steps import Scorer, StepRecorder
from trainer.tunix_adapter import Learner, StopRequestedError, batches, build_learner, learning_rate_schedule


@dataclass(frozen=True, kw_only=True, slots=True)
class _Setup:
    """What all phases share."""

    config: TrainConfig
    run: RunDirectory
    scorer: Scorer
    progress: Progress
    template: PromptTemplate
    mesh: jax.sharding.Mesh
    seconds: dict[str, float]

    @contextlib.contextmanager
    def phase(self, name: str, total: int | None = None) -> Iterator[None]:
        self.progress.phase(name, total)
        began = time.monotonic()
        yield
        self.seconds[name] = time.monotonic() - began


@dataclass(frozen=True, kw_only=True, slots=True)
class _Data:
    tokenizer: Tokenizer
    base_dir: Path
    rows: Rows
    mixture: Mixture
    probed: Probed


@dataclass(frozen=True, kw_only=True, slots=True)
class _Models:
    policy: Gemma3
    reference: Gemma3
    generator: Generator


def train(config: TrainConfig, *, run: RunDirectory, scorer: Scorer, progress: Progress) -> Summary:
    """Runs or resumes the whole workflow and returns its summary.

    Raises:
        StopRequestedError: the user asked to stop; the run can be resumed.
        reward_client.api.RewardClientError: no rewards; a checkpoint is kept.
        trainer.rewards.TooManyFailuresError: too few rewards; a checkpoint is kept.
        policy.gemma.PolicyError, tasks.errors.TasksError: model or data cannot be had.
    """
    began = time.monotonic()
    setup = _Setup(
        config=config,
        run=run,
        scorer=scorer,
        progress=progress,
        template=template_of(config),
        mesh=make_mesh(fsdp=config.model.fsdp, tp=config.model.tp),
        seconds={},
    )
    data = _prepare_data(setup)
    models = _prepare_models(setup, data)
    before = _evaluate("before", setup, data, models)
    resumed_from = _grpo(setup, data, models)
    after = _evaluate("after", setup, data, models)
    setup.seconds["total"] = time.monotonic() - began
    summary = summarise(
        config,
        template=setup.template,
        probed=data.probed,
        steps=run.read_steps(),
        before=before,
        after=after,
        resumed_from=resumed_from,
        seconds=setup.seconds,
    )
    write_summary(run.path, summary)
    return summary


def _prepare_data(setup: _Setup) -> _Data:
    config, template = setup.config, setup.template
    with setup.phase("data"):
        # First what may have to be fetched, and so may fail.
        loaded = load_rows(config)
        tokenizer, base_dir = prepare_tokenizer(config, template, setup.run, examples=loaded.examples)
        rows = choose_rows(loaded, config, fits=lambda e: fits(config, template, tokenizer, e))
        probed = probe(rows.train, setup.scorer, timeout_s=config.rewards.timeout_s)
        for domain, reason in probed.unavailable.items():
            setup.progress.note(f"without the {domain.value} domain: {reason}")
            rows = without_domain(rows, domain)
        mixture = mix(rows, config)
        setup.run.start(config, run_record(config, template, rows, mixture, probed))
        counts = ", ".join(f"{share.domain.value} {share.rows}" for share in mixture.report())
        dropped = ", ".join(f"{count} {why}" for why, count in rows.dropped.items() if count)
        setup.progress.note(f"{len(mixture)} draws ({counts}); {len(rows.held_out)} prompts held out")
        if dropped:
            setup.progress.note(f"rows left out: {dropped}")
    return _Data(tokenizer=tokenizer, base_dir=base_dir, rows=rows, mixture=mixture, probed=probed)


def _prepare_models(setup: _Setup, data: _Data) -> _Models:
    config = setup.config
    warm_steps = 0 if config.model.pretrained or setup.run.resumed else config.warm_start.steps
    with setup.phase("warm start" if warm_steps else "load model", warm_steps or None):
        shown = 0

        def on_step(step: int, loss: float) -> None:
            nonlocal shown
            setup.progress.advance(step - shown, loss=f"{loss:.3f}")
            shown = step

        base = prepare_base(
            config,
            train=data.rows.train,
            template=setup.template,
            tokenizer=data.tokenizer,
            directory=data.base_dir,
            run=setup.run,
            mesh=setup.mesh,
            on_step=on_step,
        )
        shape = LoraShape(rank=config.model.lora_rank, alpha=config.model.lora_alpha)
        policy = apply_lora(base, shape, seed=config.seed, mesh=setup.mesh)
        generation = GenerationShape(
            rows=config.grpo.prompts * config.grpo.group_size,
            max_prompt_tokens=config.model.max_prompt_tokens,
            max_new_tokens=config.model.max_new_tokens,
        )
        generator = Generator(policy, data.tokenizer, generation, setup.mesh)
    return _Models(policy=policy, reference=base, generator=generator)


def _evaluate(name: str, setup: _Setup, data: _Data, models: _Models) -> Evaluation:
    done = read_evaluation(name, setup.run)
    if done is not None:
        return done
    with setup.phase(f"evaluate {name}"):
        return evaluate(
            name,
            generator=models.generator,
            examples=data.rows.held_out,
            template=setup.template,
            grader=setup.scorer,
            config=setup.config,
            run=setup.run,
        )


def _grpo(setup: _Setup, data: _Data, models: _Models) -> int:
    """Trains the adapters and saves them; returns the step it resumed from, 0 for none."""
    config, run = setup.config, setup.run

    def example_at(row: int) -> Example:
        return data.mixture[row % len(data.mixture)]

    schedule = learning_rate_schedule(config.grpo, config.steps)
    earlier = run.read_steps()
    with setup.phase("train", config.steps):
        recorder = StepRecorder(
            config=config,
            example_at=example_at,
            scorer=setup.scorer,
            run=run,
            learning_rate=lambda step: float(np.asarray(schedule(step))),
            show=setup.progress.step,
            elapsed_s=earlier[-1].elapsed_s if earlier else 0.0,
        )
        learner = build_learner(
            policy=models.policy,
            reference=models.reference,
            generator=models.generator,
            mesh=setup.mesh,
            options=config.grpo,
            steps=config.steps,
            seed=config.seed,
            checkpoints=run.checkpoints,
            checkpoint_every=config.checkpoint_every,
            grade=recorder.grade,
            on_step=recorder.on_step,
        )
        resumed_from = learner.step
        for record in run.keep_steps(resumed_from):
            setup.progress.step(record)
        if resumed_from:
            setup.progress.note(f"resumed from step {resumed_from} in {run.path}")
        if resumed_from < config.steps:
            _train_steps(learner, setup, example_at)
        shape = LoraShape(rank=config.model.lora_rank, alpha=config.model.lora_alpha)
        save_lora(models.policy, shape, run.path / "lora", base=config.model.pretrained or "../base")
    return resumed_from


def _train_steps(learner: Learner, setup: _Setup, example_at: Callable[[int], Example]) -> None:
    config = setup.config

    def prompt_at(row: int) -> str:
        return setup.template.render(example_at(row).prompt)

    with _stopping_on_interrupt(learner, setup.progress):
        try:
            learner.train(batches(prompt_at, prompts=config.grpo.prompts, steps=config.steps))
        except (StopRequestedError, RewardClientError, TooManyFailuresError):
            # These come between two updates, so that the weights are those of a whole step.
            learner.save()
            raise
        finally:
            learner.close()


@contextlib.contextmanager
def _stopping_on_interrupt(learner: Learner, progress: Progress) -> Iterator[None]:
    """Makes the first Ctrl-C stop behind the present step, and the second at once."""

    def request_stop(signal_number: int, frame: FrameType | None) -> None:
        learner.stop_requested = True
        signal.signal(signal.SIGINT, signal.default_int_handler)
        progress.note("stopping after this step; press Ctrl-C again to stop at once")

    previous = signal.signal(signal.SIGINT, request_stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, previous)
