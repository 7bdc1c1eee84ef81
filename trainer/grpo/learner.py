"""What a step of training does, on Tunix's cluster, trainer and loss (google-tunix 0.1.7, pinned).

Tunix's own loop asks for the rewards of a whole batch and waits. Here a step is

    sample a batch, group by group sent to be graded      trainer.experience.collecting
    reference and old log-probabilities                   Tunix, while groups are graded
    for each micro-batch: wait for its groups, advantages trainer.experience.groups
                          gradient of the loss            Tunix
    the update, and again for `grpo.iterations`           Tunix, Optax
    report, then perhaps a checkpoint                     trainer.reporting.steps, Tunix, Orbax

What else is changed against Tunix's defaults, and why:
    old log-probabilities   by the trainer's model, with the temperature; Tunix's sampler ignores it.
    checkpoints             when a step was reported, so that no step of a checkpoint lacks its record;
                            the last one too carries the position in the data, where Tunix's has none.
    reports                 when a step is done, where Tunix reports one step late.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np
from flax import nnx
from tunix.rl import common, rl_cluster
from tunix.rl.grpo import grpo_learner

from policy.gemma import on
from policy.spread import from_host
from policy.tokenizer import PAD_ID
from trainer.experience.collecting import Batch, Experience
from trainer.experience.disco import Disco
from trainer.experience.groups import GradedGroup, Learned, Tokens, learn, tokens_of
from trainer.grpo.updates import Updates
from trainer.options import GrpoOptions


class StopRequestedError(Exception):
    """The user asked to stop; a checkpoint of the last whole step has been written."""


class NotFiniteError(Exception):
    """A number of an update is NaN or infinite, and with it every weight; names step and number."""


@dataclass(frozen=True, kw_only=True, slots=True)
class StepResult:
    """One step as the optimizer and the clock saw it; `step` counts from 1.

    Numbers are means over the step's updates: `kl` by the chosen estimate (NaN without a
    reference), `entropy` per token in nats (NaN where the loss divides by a constant length),
    `clip_share` of tokens. `seconds` are wall seconds by phase, without what was hidden behind
    another phase.
    """

    step: int
    loss: float
    kl: float
    grad_norm: float
    clip_share: float
    entropy: float
    seconds: Mapping[str, float]
    learned: tuple[Learned, ...]
    batch: Batch


@dataclass(frozen=True, kw_only=True, slots=True)
class _Prepared:
    """A sampled batch with its log-probabilities [rows, C] by micro-batch; None where not needed."""

    batch: Batch
    tokens: list[Tokens]
    reference: list[jax.Array | None]
    old: list[jax.Array | None]


class _Clock:
    """Adds up seconds by phase."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {"sample": 0.0, "reference": 0.0, "rewards": 0.0, "update": 0.0}
        self._last = time.monotonic()

    def lap(self, phase: str, *, waited_s: float = 0.0) -> None:
        """Books the time since the last lap: `waited_s` of it as waiting for rewards, the rest as `phase`."""
        now = time.monotonic()
        self.seconds[phase] += now - self._last - waited_s
        self.seconds["rewards"] += waited_s
        self._last = now


class Learner(grpo_learner.GRPOLearner):
    """Trains step by step, reports each one, and stops between steps when asked to."""

    def __init__(
        self,
        *,
        rl_cluster: rl_cluster.RLCluster,
        algo_config: grpo_learner.GRPOConfig,
        options: GrpoOptions,
        steps: int,
        experience: Experience,
        disco: Disco,
        length: int,
        about: Mapping[str, Any],
        on_step: Callable[[StepResult], None],
        between: Callable[[int], None],
        checkpoint_every: int,
    ) -> None:
        """Calls `on_step` with every step, and `between` with its number when its checkpoint was begun."""
        super().__init__(rl_cluster=rl_cluster, algo_config=algo_config, reward_fns=_not_asked)
        self._updates = Updates(rl_cluster.actor_trainer, metadata=self._metadata)
        self._options = options
        self._steps = steps
        self._experience = experience
        self._disco = disco
        self._length = length
        self._about = about
        self._on_step = on_step
        self._between = between
        self._checkpoint_every = checkpoint_every
        self._ahead: _Prepared | None = None
        self._data_state = self._updates.restored.get("data")
        if self._data_state is not None:
            experience.restore(self._data_state)

    @property
    def step(self) -> int:
        """Steps done so far, those before a resume included."""
        return self._updates.done // self._options.iterations

    @property
    def restored(self) -> Mapping[str, Any]:
        """What the checkpoint that was restored says beside the weights; empty for a new run."""
        return self._updates.restored

    def run(self, *, stopping: Callable[[], bool]) -> None:
        """Trains up to the last step and writes the last checkpoint.

        Raises:
            StopRequestedError: `stopping` said so between two steps.
            NotFiniteError: a number of an update is not finite.
            trainer.experience.rewards.TooManyFailuresError, reward_client.api.RewardClientError: no rewards;
                `save` is safe, and stands for the last whole step.
        """
        while self.step < self._steps:
            self._step()
            if self.step % self._checkpoint_every == 0:
                self.save()
            self._between(self.step)
            if stopping() and self.step < self._steps:
                raise StopRequestedError
        self.save()
        self.rl_cluster.close()

    def save(self) -> None:
        """Writes a checkpoint of the last whole step, if there is none yet."""
        self._updates.save()

    def close(self) -> None:
        """Waits for the checkpoints that are being written."""
        self._updates.close()

    def _step(self) -> None:
        clock = _Clock()
        prepared = self._ahead or self._prepare(self.step, clock)
        # One step off-policy: the next batch is sampled before this one's rewards are needed.
        more = self._options.one_step_off_policy and self.step + 1 < self._steps
        self._ahead = self._prepare(self.step + 1, clock) if more else None
        learned: list[Learned] = []
        examples: list[common.TrainExample] = []
        said: list[dict[str, float]] = []
        for iteration in range(self._options.iterations):
            # First as the rewards arrive; then, with nothing to wait for, again.
            arriving = self._examples(prepared, learned, clock, into=examples)
            for example in examples if iteration else arriving:
                self.rl_cluster.update_actor([example], None)
                clock.lap("update")
            said.append(self._said())
        self.rl_cluster.global_steps = self.step
        means = {name: float(np.mean([each[name] for each in said])) for name in said[0]}
        self._on_step(
            StepResult(
                step=self.step,
                **means,
                seconds=clock.seconds,
                learned=tuple(learned),
                batch=prepared.batch,
            )
        )

    def _prepare(self, step: int, clock: _Clock) -> _Prepared:
        """Samples a batch, and starts what does not need its rewards."""
        batch = self._experience.begin(step)
        clock.lap("sample", waited_s=batch.waited_s)
        size = self._options.micro_prompts or self._options.prompts
        groups = batch.groups
        tokens = [
            tokens_of(groups[start : start + size], length=self._length)
            for start in range(0, len(groups), size)
        ]
        off_policy = self._options.iterations > 1 or self._options.one_step_off_policy
        prepared = _Prepared(
            batch=batch,
            tokens=tokens,
            reference=[self._reference(each) if self._options.beta else None for each in tokens],
            old=[self._log_probabilities(each) if off_policy else None for each in tokens],
        )
        clock.lap("reference")
        return prepared

    def _examples(
        self, prepared: _Prepared, learned: list[Learned], clock: _Clock, *, into: list[common.TrainExample]
    ) -> Iterator[common.TrainExample]:
        """Yields the micro-batches as their rewards arrive, and keeps them in `into`."""
        batch = prepared.batch
        size = self._options.micro_prompts or self._options.prompts
        # The device does these first in any case; time spent on them is no time spent waiting.
        jax.block_until_ready((prepared.reference, prepared.old))
        clock.lap("reference")
        for tokens, reference, old in zip(prepared.tokens, prepared.reference, prepared.old, strict=True):
            waited_before_s = batch.waited_s
            groups = [learn(graded, self._options, self._disco) for graded in self._take(batch, size)]
            clock.lap("update", waited_s=batch.waited_s - waited_before_s)
            learned += groups
            into.append(self._example(tokens, groups, reference=reference, old=old))
            if len(into) == len(prepared.tokens):
                # All rewards are here: this is what a checkpoint written by the coming update stands for.
                self._data_state = self._experience.observe(batch)
            yield into[-1]

    def _take(self, batch: Batch, count: int) -> list[GradedGroup]:
        try:
            return batch.take(count)
        except Exception:
            self._updates.discard_gradients()
            raise

    def _example(
        self, tokens: Tokens, groups: list[Learned], *, reference: jax.Array | None, old: jax.Array | None
    ) -> common.TrainExample:
        in_loss = np.concatenate([group.in_loss for group in groups])
        example: Any = common.TrainExample  # a flax dataclass, whose fields pyright does not see
        return example(
            prompt_ids=self._put(tokens.prompts),
            prompt_mask=self._put(tokens.prompts != PAD_ID),
            completion_ids=self._put(tokens.completions),
            completion_mask=self._put((tokens.completions != PAD_ID) & in_loss[:, None]),
            advantages=self._put(np.concatenate([group.advantages for group in groups])),
            ref_per_token_logps=reference,
            old_per_token_logps=old,
        )

    @property
    def _mesh(self) -> jax.sharding.Mesh:
        return self.rl_cluster.r2m[rl_cluster.Role.ACTOR]

    def _put(self, array: np.ndarray) -> jax.Array:
        return from_host(array, self._mesh)

    def _reference(self, tokens: Tokens) -> jax.Array:
        return self.rl_cluster.get_ref_per_token_logps(
            prompt_tokens=self._put(tokens.prompts),
            completion_tokens=self._put(tokens.completions),
            pad_id=PAD_ID,
            eos_id=self.rl_cluster.rollout.eos_id(),
        )

    def _log_probabilities(self, tokens: Tokens) -> jax.Array:
        """Computes log-probabilities [rows, C] under the present weights, which sampled `tokens`."""
        graph, state = nnx.split(self._updates.model)
        with on(self._mesh):
            result = common.compute_per_token_logps(
                graph,
                state,
                prompt_tokens=self._put(tokens.prompts),
                completion_tokens=self._put(tokens.completions),
                pad_id=PAD_ID,
                eos_id=self.rl_cluster.rollout.eos_id(),
                temperature=self.algo_config.temperature,
            )
        assert isinstance(result, jax.Array)
        return result

    def _said(self) -> dict[str, float]:
        """Reads the numbers of the update that was just made.

        Raises:
            NotFiniteError: one of them is not finite.
        """
        said = self._updates.said()
        for name, value in said.items():
            if not np.isfinite(value):
                step = -(-self._updates.done // self._options.iterations)
                raise NotFiniteError(
                    f"step {step}: {name} is {value}: lower grpo.learning_rate, or look at the step's rewards"
                )
        if not self._options.beta:
            said["kl"] = np.nan
        if self._options.loss_mean == "constant":
            said["entropy"] = np.nan
        return said

    def _metadata(self) -> dict[str, Any]:
        """Says what a checkpoint holds beside weights and optimizer; the random keys follow from the step."""
        return {"global_step": self.step, "role": "actor", "data": self._data_state, **self._about}


def _not_asked(**_: Any) -> list[float]:
    """Stands where Tunix wants a reward function: floats cannot say that there is no score."""
    raise NotImplementedError("rewards come through trainer.experience.collecting")
