"""What is read and changed inside Tunix's trainer (google-tunix 0.1.7): steps, numbers, checkpoints.

Every private name of Tunix that this project touches is in this file, so that an upgrade has
one place to look at.
"""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx

# Tunix's names of what its loss says beside the loss.
_SAID = {"kl": "kl", "pg_clipfrac": "clip_share", "entropy": "entropy"}


class Updates:
    """The updates of one trainer. `metadata` gives what a checkpoint holds beside weights and optimizer."""

    def __init__(self, trainer: Any, *, metadata: Callable[[], Mapping[str, Any]]) -> None:
        # Tunix's annotations do not fit its own code, so its trainer is Any.
        self._trainer = trainer
        self._metadata = metadata
        trainer.with_rl_metrics_to_log(dict.fromkeys(_SAID, np.mean))

    @property
    def done(self) -> int:
        """Updates so far, those before a resume included."""
        return self._trainer.train_steps

    @property
    def model(self) -> nnx.Module:
        """The model that is trained, with its present weights."""
        return self._trainer.model

    @property
    def restored(self) -> Mapping[str, Any]:
        """The metadata of the checkpoint that was restored; empty for a new run."""
        return self._trainer._restored_custom_metadata

    def said(self) -> dict[str, float]:
        """Reads the numbers of the last update, means over its micro-batches.

        Tunix keeps the newest back until the next update; a run killed in between would lose them.
        """
        metrics = self._trainer._prev_buffered_train_metrics
        extra = {name: float(op(np.asarray(v))) for name, (v, op) in metrics.additional_metrics.items()}
        said = {"loss": float(np.asarray(metrics.loss)), "grad_norm": extra["grad_norm"]}
        return said | {ours: extra[theirs] for theirs, ours in _SAID.items()}

    def save(self) -> None:
        """Writes a checkpoint of the last update, if there is none yet."""
        trainer = self._trainer
        latest = trainer.checkpoint_manager.latest_step()
        if self.done and (latest is None or latest < self.done):
            trainer.checkpoint_manager.save(
                self.done,
                trainer.model,
                trainer.optimizer,
                save_only_lora_params=True,
                force=True,
                custom_metadata=self._metadata(),
            )

    def close(self) -> None:
        """Waits for the checkpoints that are being written."""
        self._trainer.checkpoint_manager.close()

    def discard_gradients(self) -> None:
        """Forgets the micro-batches of an unfinished update, so that the state is that of the last one."""
        trainer = self._trainer
        per_update = trainer.config.get_with_default("gradient_accumulation_steps", 1)
        trainer._iter_steps = self.done * per_update
        trainer._buffered_train_metrics = None
        state = trainer.optimizer.opt_state
        if isinstance(state, optax.MultiStepsState):
            variables: list[Any] = [state.mini_step, *_variables(state.acc_grads)]
            for variable in variables:
                variable[...] = jnp.zeros_like(variable[...])


def _variables(tree: Any) -> list[Any]:
    return jax.tree.leaves(tree, is_leaf=lambda node: isinstance(node, nnx.Variable))
