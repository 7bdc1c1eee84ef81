"""All that this project knows of Tunix's RL API (google-tunix 0.1.7, pinned).

What is changed against Tunix's defaults, and why:
    rollout       `trainer.tunix_rollout`: a fresh key per call, and the stop mark is kept.
    rewards       one call per optimizer step, with outcomes instead of floats; a missing
                  reward is masked, where Tunix would count it as 0.
    advantages    masked completions are absent from their group (`trainer.rewards`).
    KL            k3 (`low_var_kl`); the default, k1 in the loss, does not pull to the reference.
    resume        the global step comes from the optimizer's step, because Tunix's last
                  checkpoint carries no metadata.
    steps         reported when they are done, where Tunix reports one step late; a run that
                  is stopped or fails saves the last whole step.
"""

import functools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import numpy as np
import optax
import orbax.checkpoint as ocp
from tunix.rl import function_registry, reward_manager, rl_cluster
from tunix.rl.grpo import grpo_learner
from tunix.rl.rollout import base_rollout

from policy.gemma import Gemma3
from policy.sampling import Completion, Generator
from trainer.config import GrpoOptions
from trainer.rewards import group_advantages
from trainer.tunix_rollout import SeededRollout

_NAME = "assay"  # under which our manager and estimator are registered with Tunix

Grade = Callable[[Sequence[int], Sequence[Completion]], np.ma.MaskedArray]


@dataclass(frozen=True, kw_only=True, slots=True)
class StepResult:
    """What the optimizer says of one step; `step` counts from 1."""

    step: int
    loss: float
    kl: float
    grad_norm: float


class StopRequestedError(Exception):
    """The user asked to stop; a checkpoint of the last whole step has been written."""


class _OutcomeRewardManager(reward_manager.AbstractRewardManager):
    """Hands the completions of a step to one function; its masked rewards go on to the estimator."""

    def __call__(
        self, prompts: list[str], completions: list[str], *, row: np.ndarray, **_: Any
    ) -> dict[str, Any]:
        rewards = self.reward_fns[0](row)
        if not isinstance(rewards, np.ma.MaskedArray) or rewards.shape != (len(completions),):
            raise TypeError(
                f"rewards: need a masked array of shape ({len(completions)},), got {rewards!r:.80}"
            )
        if not np.isfinite(rewards.compressed()).all():
            raise ValueError("rewards: not finite; one such value would turn every weight into NaN")
        return {"rewards": rewards, "log_metrics": {}}


def _estimate(rewards: np.ma.MaskedArray, num_generations: int) -> np.ndarray:
    return group_advantages(rewards, num_generations)


class Learner(grpo_learner.GRPOLearner):
    """GRPO that reports each step when it is done, and stops between steps when asked to."""

    def __init__(
        self, *args: Any, rollout: SeededRollout, on_step: Callable[[StepResult], None], **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        # Tunix's last checkpoint has no metadata, so `global_steps` would restart at 0.
        self.rl_cluster.global_steps = self.rl_cluster.actor_trainer.train_steps
        rollout.global_step = lambda: self.rl_cluster.global_steps
        # Weights of rollout and trainer are one model: nothing to copy after a step.
        self.should_sync_weights = False
        self._on_step = on_step
        self.stop_requested = False

    @property
    def step(self) -> int:
        """Optimizer steps done so far, those before a resume included."""
        return self.rl_cluster.actor_trainer.train_steps

    def _run_mini_batch_step(self, *args: Any, **kwargs: Any) -> None:
        super()._run_mini_batch_step(*args, **kwargs)
        # Tunix keeps the newest metrics back until the next step; a run killed in between would lose them.
        metrics = self.rl_cluster.actor_trainer._prev_buffered_train_metrics
        assert metrics is not None
        extra = {name: op(np.asarray(values)) for name, (values, op) in metrics.additional_metrics.items()}
        result = StepResult(
            step=self.step,
            loss=float(np.asarray(metrics.loss)),
            kl=float(np.asarray(extra["kl"])),
            grad_norm=float(np.asarray(extra["grad_norm"])),
        )
        if not np.isfinite([result.loss, result.kl, result.grad_norm]).all():
            self._forget(self.step)
            raise FloatingPointError(f"step {self.step}: loss, KL or gradient is not finite: {result}")
        self._on_step(result)
        if self.stop_requested and self.step < (
            self.rl_cluster.cluster_config.training_config.max_steps or 0
        ):
            raise StopRequestedError

    def save(self) -> None:
        """Writes a checkpoint of the present step, if there is none yet."""
        trainer = self.rl_cluster.actor_trainer
        manager = trainer.checkpoint_manager
        latest = manager.latest_step()
        if self.step and (latest is None or latest < self.step):
            manager.save(self.step, trainer.model, trainer.optimizer, save_only_lora_params=True, force=True)

    def close(self) -> None:
        """Waits for the checkpoints that are being written."""
        self.rl_cluster.actor_trainer.checkpoint_manager.close()

    def _forget(self, step: int) -> None:
        """Deletes the checkpoint of a step whose update was not finite, so that a resume starts before it."""
        manager = self.rl_cluster.actor_trainer.checkpoint_manager._checkpoint_manager
        if manager is not None and manager.latest_step() == step:
            manager.wait_until_finished()
            manager.delete(step)


def build_learner(
    *,
    policy: Gemma3,
    reference: Gemma3,
    generator: Generator,
    mesh: jax.sharding.Mesh,
    options: GrpoOptions,
    steps: int,
    seed: int,
    checkpoints: Path,
    checkpoint_every: int,
    grade: Grade,
    on_step: Callable[[StepResult], None],
) -> Learner:
    """Wires model, rollout, rewards and optimizer; restores the newest checkpoint if there is one."""
    function_registry.register_reward_manager(_NAME)(_OutcomeRewardManager)
    function_registry.register_advantage_estimator(_NAME)(_estimate)
    micro = options.micro_prompts or options.prompts
    limits = generator.shape
    roles = rl_cluster.Role
    # Tunix takes a partial too; its annotation does not say so.
    engine: Any = functools.partial(SeededRollout, generator=generator, seed=seed)
    config = rl_cluster.ClusterConfig(
        role_to_mesh={roles.ACTOR: mesh, roles.REFERENCE: mesh, roles.ROLLOUT: mesh},
        rollout_engine=engine,
        training_config=rl_cluster.RLTrainingConfig(
            actor_optimizer=make_optimizer(options, steps),
            eval_every_n_steps=steps + 1,
            max_steps=steps,
            mini_batch_size=options.prompts,
            train_micro_batch_size=micro,
            # One sampler call and one reward call per optimizer step.
            rollout_micro_batch_size=options.prompts,
            compute_logps_micro_batch_size=micro,
            checkpoint_root_directory=str(checkpoints.absolute()),
            checkpointing_options=ocp.CheckpointManagerOptions(
                save_interval_steps=checkpoint_every, max_to_keep=2
            ),
            pbar_description=None,
        ),
        rollout_config=base_rollout.RolloutConfig(
            max_tokens_to_generate=limits.max_new_tokens,
            max_prompt_length=limits.max_prompt_tokens,
            kv_cache_size=limits.max_prompt_tokens + limits.max_new_tokens,
            temperature=options.temperature,
            eos_tokens=list(generator.tokenizer.stop_ids),
        ),
    )
    cluster = rl_cluster.RLCluster(
        actor=policy, reference=reference, tokenizer=generator.tokenizer.backend, cluster_config=config
    )
    rollout = cluster.rollout
    assert isinstance(rollout, SeededRollout)
    algorithm = grpo_learner.GRPOConfig(
        advantage_estimator=_NAME,
        reward_manager=_NAME,
        num_generations=options.group_size,
        num_iterations=1,
        beta=options.beta,
        kl_loss_mode="low_var_kl",
    )
    return Learner(
        rl_cluster=cluster,
        algo_config=algorithm,
        reward_fns=[lambda rows: grade([int(row) for row in rows], rollout.completions)],
        rollout=rollout,
        on_step=on_step,
    )


def learning_rate_schedule(options: GrpoOptions, steps: int) -> optax.Schedule:
    """Returns warm-up and cosine decay to a tenth; a function of the steps done."""
    warmup = max(1, round(options.warmup_share * steps))
    return optax.warmup_cosine_decay_schedule(
        init_value=options.learning_rate / 10,
        peak_value=options.learning_rate,
        warmup_steps=warmup,
        decay_steps=max(steps, warmup + 1),
        end_value=options.learning_rate / 10,
    )


def make_optimizer(options: GrpoOptions, steps: int) -> optax.GradientTransformation:
    """Returns AdamW behind a clip of the global gradient norm."""
    return optax.chain(
        optax.clip_by_global_norm(options.clip_norm),
        optax.adamw(learning_rate_schedule(options, steps), b2=0.99, weight_decay=options.weight_decay),
    )


def batches(prompt_at: Callable[[int], str], *, prompts: int, steps: int) -> Iterable[dict[str, Any]]:
    """Yields a batch a step: rendered prompts and their positions in the mixture, both one-dimensional.

    On resume Tunix skips the batches of the steps already done, so the position in the
    data is a function of the step.
    """
    for step in range(steps):
        rows = range(step * prompts, (step + 1) * prompts)
        yield {"prompts": np.array([prompt_at(row) for row in rows]), "row": np.array(rows)}
