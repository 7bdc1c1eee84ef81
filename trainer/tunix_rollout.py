"""Rollouts for Tunix's learner, out of our own generator (google-tunix 0.1.7).

Tunix's rollout samples with the same key for ever and drops the stop mark. This one has a
key per call, from (seed, step, call), so that a resumed run samples what the unbroken one
would have; and it keeps the mark, so that stopping is trained.
"""

from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from tunix.rl.rollout import base_rollout

from policy.gemma import Gemma3
from policy.sampling import Completion, Generator


class SeededRollout(base_rollout.BaseRollout):
    """Rollouts from our generator, every call with a key of its own."""

    def __init__(self, *, rollout_actor: Gemma3, generator: Generator, seed: int, **_: Any) -> None:
        self._model = rollout_actor
        self._generator = generator
        self._key = jax.random.key(seed)
        self._calls = 0
        self._step = -1
        self.completions: list[Completion] = []
        self.global_step: Callable[[], int] = lambda: 0

    def generate(
        self, prompts: list[str], rollout_config: base_rollout.RolloutConfig, **_: Any
    ) -> base_rollout.RolloutOutput:
        step = self.global_step()
        if step != self._step:
            self._step, self._calls, self.completions = step, 0, []
        key = jax.random.fold_in(jax.random.fold_in(self._key, step), self._calls)
        self._calls += 1
        batch = self._generator.generate_rows(
            [str(prompt) for prompt in prompts], temperature=rollout_config.temperature, key=key
        )
        self.completions.extend(batch.completions)
        return base_rollout.RolloutOutput(
            text=[completion.text for completion in batch.completions],
            logits=[],
            tokens=[np.array(completion.tokens, np.int32) for completion in batch.completions],
            left_padded_prompt_tokens=batch.prompt_tokens,
            logprobs=None,
        )

    def get_per_token_logps(self, prompt_tokens: jax.Array, completion_tokens: jax.Array) -> jax.Array:
        raise NotImplementedError(
            "needed only for more than one iteration per batch, which this trainer never does"
        )

    def update_params(self, params: Any, filter_types: Any = None) -> None:
        """Does nothing: the generator reads the weights of the model that is trained."""

    def pad_id(self) -> int:
        return self._generator.backend.pad_id()

    def eos_id(self) -> int:
        return self._generator.backend.eos_id()

    def model(self) -> Gemma3:
        return self._model
