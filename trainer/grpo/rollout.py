"""Rollouts for Tunix's cluster, out of our own generator (google-tunix 0.1.7).

Tunix's rollout samples with the same key for ever and drops the stop mark. This one has a
key per call, from (seed, step, call), so that a resumed run samples what the unbroken one
would have; and it keeps the mark, so that stopping is trained.
"""

from typing import Any

import jax
import numpy as np
from tunix.rl.rollout import base_rollout

from policy.gemma import Gemma3
from policy.sampling import Generator


class SeededRollout(base_rollout.BaseRollout):
    """Rollouts from our generator; `at` chooses the key of the next call."""

    def __init__(self, *, rollout_actor: Gemma3, generator: Generator, seed: int, **_: Any) -> None:
        self._model = rollout_actor
        self._generator = generator
        self._seed = seed
        self._key = jax.random.key(seed)

    def at(self, *, step: int, call: int) -> None:
        """Sets the randomness of the next call."""
        self._key = jax.random.fold_in(jax.random.fold_in(jax.random.key(self._seed), step), call)

    def generate(
        self, prompts: list[str], rollout_config: base_rollout.RolloutConfig, **_: Any
    ) -> base_rollout.RolloutOutput:
        batch = self._generator.generate_rows(
            [str(prompt) for prompt in prompts], temperature=rollout_config.temperature, key=self._key
        )
        return base_rollout.RolloutOutput(
            text=[completion.text for completion in batch.completions],
            logits=[],
            tokens=[np.array(completion.tokens, np.int32) for completion in batch.completions],
            left_padded_prompt_tokens=batch.prompt_tokens,
            logprobs=None,
        )

    def get_per_token_logps(self, prompt_tokens: jax.Array, completion_tokens: jax.Array) -> jax.Array:
        raise NotImplementedError("Tunix's ignores the temperature; see Learner._log_probabilities")

    def update_params(self, params: Any, filter_types: Any = None) -> None:
        """Does nothing: the generator reads the weights of the model that is trained at every call."""

    def pad_id(self) -> int:
        return self._generator.backend.pad_id()

    def eos_id(self) -> int:
        return self._generator.backend.eos_id()

    def model(self) -> Gemma3:
        return self._model
