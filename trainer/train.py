"""The assembly of a run: data, warm start, evaluation, GRPO, evaluation, summary.

Each phase leaves its result in the run's directory, so that a run that was stopped goes
on behind the last phase, and within warm start and GRPO from the last checkpoint. What a
step does is in `trainer.grpo.learner`.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import jax
import numpy as np

from policy import sources
from policy.gemma import make_mesh
from policy.lora import LoraShape, apply_lora, save_lora
from policy.sampling import GenerationShape
from policy.tokenizer import Tokenizer
from reward_client.api import RewardClientError
from tasks.mixing import Mixture
from tasks.prompts import PromptTemplate
from trainer.cluster import ALONE, Cluster
from trainer.config import ConfigurationError, TrainConfig
from trainer.evaluation.curve import HeldOutCurve
from trainer.evaluation.evaluator import Evaluation, Evaluator, read_evaluation
from trainer.evaluation.held_out import AFTER, BEFORE
from trainer.experience.collecting import Experience
from trainer.experience.disco import Disco
from trainer.experience.draws import Draws
from trainer.experience.grading import Grading, Scorer
from trainer.experience.rewards import TooManyFailuresError
from trainer.grpo.assembly import Models, build_learner, learning_rate_schedule
from trainer.grpo.learner import Learner, StepResult, StopRequestedError
from trainer.interrupts import interruptible
from trainer.options import TrackingOptions
from trainer.preparing.base import fits, prepare_base, prepare_tokenizer, template_of
from trainer.preparing.data import Rows, choose_rows, load_rows, mix, without_domain
from trainer.preparing.probe import Probed, probe
from trainer.reporting.accounts import checkpoint_record, row_record, run_record, summarise
from trainer.reporting.phases import Phases
from trainer.reporting.progress import Progress
from trainer.reporting.report import write_summary
from trainer.reporting.steps import StepRecorder
from trainer.reporting.telling import Telling, tell
from trainer.run_files.records import Summary
from trainer.run_files.run_directory import RunDirectory
from trainer.tracking.api import check, open_trackers


@dataclass(frozen=True, kw_only=True, slots=True)
class _Setup:
    """What all phases share."""

    config: TrainConfig
    run: RunDirectory
    scorer: Scorer
    progress: Progress
    phases: Phases
    template: PromptTemplate
    mesh: jax.sharding.Mesh
    cluster: Cluster


@dataclass(frozen=True, kw_only=True, slots=True)
class _Data:
    tokenizer: Tokenizer
    base_dir: Path
    rows: Rows
    mixture: Mixture
    probed: Probed


def train(
    config: TrainConfig, *, run: RunDirectory, scorer: Scorer, progress: Progress, cluster: Cluster = ALONE
) -> Summary:
    """Runs or resumes the whole workflow and returns its summary.

    All processes of `cluster` call this; `scorer` and trackers are the leader's.

    Raises:
        ConfigurationError: a tracker that is asked for is not installed or cannot be used, or the
            processes of a cluster do not fit together.
        StopRequestedError: the user asked to stop; the run can be resumed.
        reward_client.api.RewardClientError: no rewards; a checkpoint is kept.
        trainer.experience.rewards.TooManyFailuresError: too few rewards; a checkpoint is kept.
        trainer.grpo.learner.NotFiniteError: the training broke down; the checkpoint before it is kept.
        policy.errors.PolicyError, tasks.errors.TasksError: model or data cannot be had.
    """
    cluster.share(lambda: check(config.tracking))
    sources.check(config.model.source)
    setup = _Setup(
        config=config,
        run=run,
        scorer=scorer,
        progress=progress,
        phases=Phases(run, progress),
        template=template_of(config),
        mesh=_training_mesh(config, cluster),
        cluster=cluster,
    )
    data = _prepare_data(setup)
    with open_trackers(config if cluster.is_leader else _untracked(config), run) as trackers:
        models = _prepare_models(setup, data)
        evaluator = Evaluator(
            generator=models.generator,
            examples=data.rows.held_out,
            template=setup.template,
            grader=scorer,
            seed=config.seed,
            run=run,
        )
        telling = tell(
            config,
            run=run,
            progress=progress,
            phases=setup.phases,
            trackers=trackers,
            generator=models.generator,
        )
        before = _evaluate(BEFORE, setup, evaluator)
        telling.evaluation(0, before)
        resumed_from = _grpo(setup, data, models, telling, evaluator)
        after = _evaluate(AFTER, setup, evaluator)
        telling.evaluation(config.steps, after)

    def end() -> Summary:
        summary = summarise(
            config,
            template=setup.template,
            probed=data.probed,
            steps=run.read_steps(),
            before=before,
            after=after,
            resumed_from=resumed_from,
            seconds=setup.phases.seconds(),
        )
        write_summary(run.path, summary)
        return summary

    return cluster.share(end)


def _training_mesh(config: TrainConfig, cluster: Cluster) -> jax.sharding.Mesh:
    """Makes the mesh of training; several processes train with all the devices that they have."""
    mesh = make_mesh(fsdp=config.model.fsdp, tp=config.model.tp)
    if jax.process_count() != cluster.count:
        raise ConfigurationError(
            f"cluster: JAX found {jax.process_count()} processes by itself: say --cluster.coordinator auto"
        )
    if cluster.count > 1 and mesh.size != jax.device_count():
        raise ConfigurationError(
            f"cluster: model.fsdp={config.model.fsdp} x model.tp={config.model.tp} leaves out some of the "
            f"{jax.device_count()} devices of {cluster.count} processes: choose a product of "
            f"{jax.device_count()}, or model.fsdp=0"
        )
    return mesh


def _untracked(config: TrainConfig) -> TrainConfig:
    return replace(config, tracking=TrackingOptions(tensorboard=False))


def _prepare_data(setup: _Setup) -> _Data:
    config, template = setup.config, setup.template
    with setup.phases.phase("data"):
        # First what may have to be fetched, and so may fail.
        loaded = load_rows(config)
        tokenizer, base_dir = prepare_tokenizer(
            config, template, setup.run, examples=loaded.examples, cluster=setup.cluster
        )
        rows = choose_rows(loaded, config, fits=lambda e: fits(config, template, tokenizer, e))
        setup.cluster.same("choice of rows", json.dumps(row_record(rows)))
        probed = setup.cluster.share(
            lambda: probe(rows.train, setup.scorer, timeout_s=config.rewards.timeout_s)
        )
        for domain, reason in probed.unavailable.items():
            setup.progress.note(f"without the {domain.value} domain: {reason}")
            rows = without_domain(rows, domain)
        mixture = mix(rows, config)
        setup.run.write_json("rows.json", row_record(rows))
        setup.run.start(config, run_record(config, template, rows, mixture, probed))
        counts = ", ".join(f"{share.domain.value} {share.rows}" for share in mixture.report())
        dropped = ", ".join(f"{count} {why}" for why, count in rows.dropped.items() if count)
        setup.progress.note(f"{len(mixture)} draws ({counts}); {len(rows.held_out)} prompts held out")
        if dropped:
            setup.progress.note(f"rows left out: {dropped}")
    return _Data(tokenizer=tokenizer, base_dir=base_dir, rows=rows, mixture=mixture, probed=probed)


def _prepare_models(setup: _Setup, data: _Data) -> Models:
    config, cluster = setup.config, setup.cluster
    resumed = cluster.share(lambda: setup.run.resumed)
    warm_steps = 0 if config.model.pretrained or resumed else config.warm_start.steps
    with (
        setup.phases.phase("warm start" if warm_steps else "load model", warm_steps or None),
        interruptible(setup.progress.note) as interrupted,
    ):
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
            stopping=lambda: cluster.stops(interrupted()),
            cluster=cluster,
        )
        policy = apply_lora(base, _lora_shape(config), seed=config.seed, mesh=setup.mesh)
        generation = GenerationShape(
            rows=config.grpo.prompts * config.grpo.group_size,
            max_prompt_tokens=config.model.max_prompt_tokens,
            max_new_tokens=config.model.max_new_tokens,
        )
        generator = sources.make_generator(policy, data.tokenizer, generation, _rollout_mesh(setup))
    return Models(policy=policy, reference=base, generator=generator)


def _rollout_mesh(setup: _Setup) -> jax.sharding.Mesh:
    options = setup.config.model
    if not options.rollout_fsdp:
        return setup.mesh
    return make_mesh(fsdp=options.rollout_fsdp, tp=options.rollout_tp, first=setup.mesh.size)


def _evaluate(name: str, setup: _Setup, evaluator: Evaluator) -> Evaluation:
    done = setup.cluster.share(lambda: read_evaluation(name, setup.run))
    if done is not None:
        return done
    samples = setup.config.evals.samples_per_prompt
    count = evaluator.completions(samples)
    with setup.phases.phase(f"evaluate {name}", count):
        completions = evaluator.ask(samples, on_done=setup.progress.advance)
        setup.progress.advance(0, grading=f"{count:,} completions")
        return setup.cluster.share(lambda: evaluator.grade(name, completions))


def _grpo(setup: _Setup, data: _Data, models: Models, telling: Telling, evaluator: Evaluator) -> int:
    """Trains the adapters and saves them; returns the step it resumed from, 0 for none."""
    config, run = setup.config, setup.run
    with setup.phases.phase("train", config.steps):
        recorder = _recorder(setup, telling)
        curve = HeldOutCurve(
            evaluator,
            run=run,
            every=config.evals.every,
            last=config.steps,
            sampling=lambda done, total: setup.progress.advance(0, evaluating=f"{done:,}/{total:,}"),
            show=telling.evaluation,
            cluster=setup.cluster,
        )

        def between(step: int) -> None:
            if curve.has_work(step):
                with setup.phases.aside("evaluate while training"):
                    curve.after(step)
            recorder.skip()

        learner = _learner(setup, data, models, recorder.on_step, between)
        resumed_from = learner.step
        _check_restored(learner, setup, data)
        telling.again(resumed_from)
        if resumed_from:
            setup.progress.note(f"resumed from step {resumed_from} in {run.path}")
        curve.resume(resumed_from)
        if resumed_from < config.steps:
            _train_steps(learner, setup)
        curve.finish()
        save_lora(
            models.policy, _lora_shape(config), run.path / "lora", base=config.model.pretrained or "../base"
        )
    return resumed_from


def _learner(
    setup: _Setup,
    data: _Data,
    models: Models,
    on_step: Callable[[StepResult], None],
    between: Callable[[int], None],
) -> Learner:
    config, run = setup.config, setup.run
    shares = {share.domain: share.rows / len(data.mixture) for share in data.mixture.report()}
    grading = Grading(
        setup.scorer,
        timeout_s=config.rewards.timeout_s,
        overlap=config.rewards.overlap,
        cluster=setup.cluster,
    )
    draws = Draws(data.mixture, exhausted=config.data.exhausted, seed=config.seed)
    return build_learner(
        config=config,
        models=models,
        mesh=setup.mesh,
        prompt_of=lambda example: setup.template.render(example.prompt),
        experience_of=lambda sampler: Experience(
            config=config, draws=draws, sampler=sampler, grading=grading
        ),
        disco=Disco(mode=config.rewards.disco, shares=shares),
        checkpoints=run.checkpoints,
        about=checkpoint_record(config, setup.template, data.probed),
        on_step=on_step,
        between=between,
    )


def _recorder(setup: _Setup, telling: Telling) -> StepRecorder:
    config, run = setup.config, setup.run
    schedule = learning_rate_schedule(config.grpo, config.steps)
    return StepRecorder(
        config=config,
        prompt_hash=setup.template.hash,
        learning_rate=lambda update: float(np.asarray(schedule(update))),
        show=telling.step,
        keep=telling.rollouts,
        elapsed_s=run.elapsed_s,
    )


def _check_restored(learner: Learner, setup: _Setup, data: _Data) -> None:
    """Compares what a restored checkpoint was trained with to what there is now.

    Raises:
        ConfigurationError: another prompt template, on which the adapters would answer worse.
    """
    was = learner.restored
    if was and was["prompt_hash"] != setup.template.hash:
        raise ConfigurationError(
            f"the checkpoint of step {learner.step} was trained on prompt template {was['prompt_hash']}, but "
            f"this program renders {setup.template.hash}: go on with the program that began, or use --fresh"
        )
    for reward, version in data.probed.reward_versions.items():
        before = was.get("reward_versions", {}).get(reward, version)
        if before != version:
            setup.progress.note(
                f"reward {reward!r} changed since the checkpoint: {before} then, {version} now"
            )


def _train_steps(learner: Learner, setup: _Setup) -> None:
    with interruptible(setup.progress.note) as interrupted:
        try:
            learner.run(stopping=lambda: setup.cluster.stops(interrupted()))
        except (StopRequestedError, RewardClientError, TooManyFailuresError):
            # These come between two updates, so that the weights are those of a whole step.
            learner.save()
            raise
        finally:
            learner.close()


def _lora_shape(config: TrainConfig) -> LoraShape:
    return LoraShape(rank=config.model.lora_rank, alpha=config.model.lora_alpha)
