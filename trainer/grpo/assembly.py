"""Builds the learner: all that this project knows of assembling Tunix (google-tunix 0.1.7, pinned).

What is changed against Tunix's defaults, and why:
    rollout       `trainer.grpo.rollout`: a fresh key per call, and the stop mark is kept.
    rewards       outcomes instead of floats, graded in the background (`trainer.grpo.learner`);
                  a missing one is masked, where Tunix would count it as 0.
    advantages    masked completions are absent from their group (`trainer.experience.rewards`).
    loss          `trainer.grpo.loss`: k3 for KL; the default, k1, does not pull to the reference.
    resume        step and data come from the checkpoint's own account.
"""

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import numpy as np
import optax
import orbax.checkpoint as ocp
from tunix.rl import rl_cluster
from tunix.rl.rollout import base_rollout

from policy.gemma import Gemma3
from policy.sampling import Completion, Generator
from tasks.api import Example
from trainer.config import TrainConfig
from trainer.experience.collecting import Experience, Sampler
from trainer.experience.disco import Disco
from trainer.experience.draws import Draw
from trainer.experience.groups import Group
from trainer.grpo.learner import Learner, StepResult
from trainer.grpo.loss import tunix_config
from trainer.grpo.rollout import SeededRollout
from trainer.options import GrpoOptions


@dataclass(frozen=True, kw_only=True, slots=True)
class Models:
    """The policy that is trained, the model before GRPO, and the policy's sampler."""

    policy: Gemma3
    reference: Gemma3
    generator: Generator


class ClusterSampler:
    """Samples groups with Tunix's rollout engine; completions end at their domain's budget."""

    def __init__(
        self,
        cluster: rl_cluster.RLCluster,
        *,
        config: TrainConfig,
        generator: Generator,
        prompt_of: Callable[[Example], str],
    ) -> None:
        self._cluster = cluster
        self._config = config
        self._tokenizer = generator.tokenizer
        self._prompt_of = prompt_of

    def sample(self, draws: Sequence[Draw], *, step: int, call: int) -> list[Group]:
        """Completes each draw's prompt `group_size` times."""
        size = self._config.grpo.group_size
        rollout = self._cluster.rollout
        assert isinstance(rollout, SeededRollout)
        rollout.at(step=step, call=call)
        prompts = [self._prompt_of(draw.example) for draw in draws for _ in range(size)]
        output = self._cluster.generate(prompts)
        completions = [self._completion(*each) for each in zip(output.text, output.tokens, strict=True)]
        return [
            Group(
                draw=draw,
                prompt_tokens=np.asarray(output.left_padded_prompt_tokens[number * size]),
                completions=tuple(
                    self._cut(completion, draw.example)
                    for completion in completions[number * size : (number + 1) * size]
                ),
            )
            for number, draw in enumerate(draws)
        ]

    def _completion(self, text: str, tokens: np.ndarray) -> Completion:
        ids = tuple(int(token) for token in tokens)
        return Completion(text=text, tokens=ids, truncated=not ids or ids[-1] not in self._tokenizer.stop_ids)

    def _cut(self, completion: Completion, example: Example) -> Completion:
        budget = self._config.model.budget(example.domain)
        if len(completion.tokens) <= budget:
            return completion
        kept = completion.tokens[:budget]
        return Completion(text=self._tokenizer.decode(list(kept)), tokens=kept, truncated=True)


def build_learner(
    *,
    config: TrainConfig,
    models: Models,
    mesh: jax.sharding.Mesh,
    prompt_of: Callable[[Example], str],
    experience_of: Callable[[Sampler], Experience],
    disco: Disco,
    checkpoints: Path,
    about: Mapping[str, Any],
    on_step: Callable[[StepResult], None],
    between: Callable[[int], None] = lambda step: None,
) -> Learner:
    """Wires model, rollout, experience and optimizer; restores the newest checkpoint if there is one.

    `about` is written into every checkpoint beside step and data position.
    """
    cluster = rl_cluster.RLCluster(
        actor=models.policy,
        reference=models.reference,
        tokenizer=models.generator.tokenizer.backend,
        cluster_config=_cluster_config(config, models.generator, mesh, checkpoints),
    )
    sampler = ClusterSampler(cluster, config=config, generator=models.generator, prompt_of=prompt_of)
    return Learner(
        rl_cluster=cluster,
        algo_config=tunix_config(config.grpo),
        options=config.grpo,
        steps=config.steps,
        experience=experience_of(sampler),
        disco=disco,
        length=config.model.max_new_tokens,
        about=about,
        on_step=on_step,
        between=between,
        checkpoint_every=config.checkpoint_every,
    )


def _cluster_config(
    config: TrainConfig, generator: Generator, mesh: jax.sharding.Mesh, checkpoints: Path
) -> rl_cluster.ClusterConfig:
    options, limits, roles = config.grpo, config.model, rl_cluster.Role
    micro = options.micro_prompts or options.prompts
    updates = config.steps * options.iterations
    # Tunix takes a partial too; its annotation does not say so.
    engine: Any = functools.partial(SeededRollout, generator=generator, seed=config.seed)
    return rl_cluster.ClusterConfig(
        role_to_mesh={roles.ACTOR: mesh, roles.REFERENCE: mesh, roles.ROLLOUT: generator.mesh},
        rollout_engine=engine,
        training_config=rl_cluster.RLTrainingConfig(
            actor_optimizer=make_optimizer(options, config.steps),
            eval_every_n_steps=updates + 1,
            max_steps=updates,
            mini_batch_size=options.prompts,
            train_micro_batch_size=micro,
            checkpoint_root_directory=str(checkpoints.absolute()),
            # The learner saves, behind whole steps.
            checkpointing_options=ocp.CheckpointManagerOptions(
                should_save_fn=lambda update, latest: False, max_to_keep=2
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


def learning_rate_schedule(options: GrpoOptions, steps: int) -> optax.Schedule:
    """Returns warm-up and cosine decay to a tenth; a function of the updates done."""
    updates = steps * options.iterations
    warmup = max(1, round(options.warmup_share * updates))
    return optax.warmup_cosine_decay_schedule(
        init_value=options.learning_rate / 10,
        peak_value=options.learning_rate,
        warmup_steps=warmup,
        decay_steps=max(updates, warmup + 1),
        end_value=options.learning_rate / 10,
    )


def make_optimizer(options: GrpoOptions, steps: int) -> optax.GradientTransformation:
    """Returns AdamW behind a clip of the global gradient norm."""
    return optax.chain(
        optax.clip_by_global_norm(options.clip_norm),
        optax.adamw(learning_rate_schedule(options, steps), b2=0.99, weight_decay=options.weight_decay),
    )
