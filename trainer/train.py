"""The assembly of a run: data, warm start, evaluation, GRPO, evaluation, summary.

Each phase leaves its result in the run's directory, so that a run that was stopped goes
on behind the last phase, and within GRPO from the last checkpoint.
"""

import contextlib
import platform
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from types import FrameType

import jax
import numpy as np

from evals.statistics import paired_rise
from policy.gemma import Gemma3, make_mesh
from policy.lora import LoraShape, apply_lora, save_lora
from policy.sampling import GenerationShape, Generator
from policy.tokenizer import Tokenizer
from tasks.api import Example
from tasks.mixing import Mixture
from tasks.prompts import PromptTemplate
from trainer.base import prepare_base, prepare_tokenizer, template_of
from trainer.config import TrainConfig
from trainer.data import Rows, load_rows, mix, without_domain
from trainer.evaluation import Evaluation, evaluate, read_evaluation
from trainer.probe import Probed, probe
from trainer.progress import Progress
from trainer.records import StepRecord, Summary
from trainer.report import write_summary
from trainer.run_directory import RunDirectory
from trainer.steps import Scorer, StepRecorder
from trainer.tunix_adapter import Learner, batches, build_learner, learning_rate_schedule

_PACKAGES = ("jax", "flax", "google-tunix", "qwix", "optax", "orbax-checkpoint", "numpy")


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
    summary = _summarise(setup, data, before, after, resumed_from)
    write_summary(run.path, summary)
    return summary


def _prepare_data(setup: _Setup) -> _Data:
    config, template = setup.config, setup.template
    with setup.phase("data"):
        tokenizer, base_dir = prepare_tokenizer(config, template, setup.run)
        limit = config.model.max_prompt_tokens
        rows = load_rows(config, fits=lambda e: tokenizer.prompt_length(template.render(e.prompt)) <= limit)
        probed = probe(rows.train, setup.scorer, timeout_s=config.rewards.timeout_s)
        for domain, reason in probed.unavailable.items():
            setup.progress.note(f"without the {domain.value} domain: {reason}")
            rows = without_domain(rows, domain)
        mixture = mix(rows, config)
        setup.run.start(config, _run_record(setup, rows, mixture, probed))
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
        except BaseException:
            # Whatever ended the run, the steps that are done are kept; nothing is caught here.
            learner.save()
            raise


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


def _run_record(setup: _Setup, rows: Rows, mixture: Mixture, probed: Probed) -> Mapping[str, object]:
    return {
        "config": setup.config.name,
        "seed": setup.config.seed,
        "versions": {
            "python": platform.python_version(),
            **{package: metadata.version(package) for package in _PACKAGES},
        },
        "devices": [f"{device.platform}:{device.device_kind}" for device in jax.devices()],
        "reward_versions": dict(probed.reward_versions),
        "prompt_hash": setup.template.hash,
        "draws_by_domain": {share.domain.value: share.rows for share in mixture.report()},
        "rows_by_domain": _count(rows.train),
        "held_out_by_domain": _count(rows.held_out),
        "dropped": dict(rows.dropped),
        "absent_splits": dict(rows.skipped),
        "skipped": {domain.value: reason for domain, reason in probed.unavailable.items()},
    }


def _count(examples: Sequence[Example]) -> Mapping[str, int]:
    return dict(Counter(example.domain.value for example in examples))


def _summarise(
    setup: _Setup, data: _Data, before: Evaluation, after: Evaluation, resumed_from: int
) -> Summary:
    steps = setup.run.read_steps()
    tenth = max(1, len(steps) // 10)
    failures: Counter[str] = Counter()
    for counted in (before.failures, after.failures, *(record.failures for record in steps)):
        failures.update(counted)
    test = paired_rise(before.prompt_rewards, after.prompt_rewards, seed=setup.config.seed)
    return Summary(
        config=setup.config.name,
        seed=setup.config.seed,
        steps=len(steps),
        resumed_from_step=resumed_from,
        before=before.results,
        after=after.results,
        reward_first_tenth=_mean_reward(steps[:tenth]),
        reward_last_tenth=_mean_reward(steps[-tenth:]),
        p_value=test.p_value,
        seconds={name: round(value, 2) for name, value in setup.seconds.items()},
        rewards=sum(record.completions for record in steps),
        reward_wait_s=round(sum(record.reward_wait_s for record in steps), 3),
        failures=dict(failures),
        skipped={domain.value: reason for domain, reason in data.probed.unavailable.items()},
        reward_versions=data.probed.reward_versions,
        prompt_hash=setup.template.hash,
    )


def _mean_reward(records: Sequence[StepRecord]) -> float:
    return sum(record.reward for record in records) / len(records)
