"""Supervised warm start of a tiny model, on demonstrations from a teacher that is often wrong.

A model made from nothing would never produce a format or an answer to reward, so it first
imitates demonstrations of the training split. The teacher is noisy on purpose: with
probability 1 - p_correct it gives the reasoning and answer of another row of the same
dataset, and with probability 1 - p_well_formed it breaks the format. The model then half
knows what to do and does it only sometimes, which is the state of a pre-trained model that
GRPO improves. What GRPO adds is therefore mostly sharpening of what was shown here, and
nothing of the test split is ever shown.
"""

import random
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import orbax.checkpoint as ocp
from flax import nnx
from tunix.sft import utils as sft_utils

from policy.gemma import Gemma3, on
from policy.spread import complete
from policy.tokenizer import BOS_ID, END_OF_TURN, PAD_ID, Tokenizer
from tasks.api import Example
from tasks.prompts import PromptTemplate
from trainer.config import WarmStartOptions
from trainer.preparing.data import demonstrated


@dataclass(frozen=True, kw_only=True, slots=True)
class TokenBatch:
    """Token ids [rows, length], right-padded, and 1 where a token is to be predicted."""

    tokens: np.ndarray
    targets: np.ndarray


_KEPT_EVERY = 100  # steps between checkpoints: seconds of work, a few megabytes
_SHOWN_EVERY = 20

# Ways to break the format gate. The tag is taken out of an otherwise right reply.
_BREAKAGES = ("</answer>", "<answer>", "</reasoning>", "<reasoning>")


class NoisyTeacher:
    """Writes demonstrations; a pure function of the seed and the number of the draw."""

    def __init__(self, examples: Sequence[Example], options: WarmStartOptions, *, seed: int) -> None:
        self._examples = examples
        self._options = options
        self._seed = seed
        self._by_dataset: dict[str, list[Example]] = defaultdict(list)
        for example in examples:
            self._by_dataset[example.dataset].append(example)

    def draw(self, number: int) -> tuple[Example, str]:
        """Returns the example of draw `number`, domains in turn, and the text shown for it."""
        rng = random.Random(f"{self._seed}/{number}")  # noqa: S311 - data, not secrets
        dataset = sorted(self._by_dataset)[number % len(self._by_dataset)]
        example = rng.choice(self._by_dataset[dataset])
        shown = example if rng.random() < self._options.p_correct else rng.choice(self._by_dataset[dataset])
        text = demonstrated(shown)
        if rng.random() >= self._options.p_well_formed:
            text = text.replace(rng.choice(_BREAKAGES), "")
        return example, text


def encode(pairs: Sequence[tuple[str, str]], tokenizer: Tokenizer, *, length: int) -> TokenBatch:
    """Encodes (rendered prompt, reply) pairs; only the reply and its stop mark are targets."""
    tokens = np.full((len(pairs), length), PAD_ID, np.int32)
    targets = np.zeros((len(pairs), length), np.float32)
    for row, (prompt, reply) in enumerate(pairs):
        start = [BOS_ID, *tokenizer.encode(prompt)]
        ids = [*start, *tokenizer.encode(reply + END_OF_TURN)][:length]
        tokens[row, : len(ids)] = ids
        targets[row, len(start) : len(ids)] = 1.0
    return TokenBatch(tokens=tokens, targets=targets)


def demonstrations(
    teacher: NoisyTeacher,
    template: PromptTemplate,
    tokenizer: Tokenizer,
    options: WarmStartOptions,
    *,
    length: int,
    first: int,
) -> Iterator[TokenBatch]:
    """Yields the batches of the warm start from step `first` (from 0) on."""
    for step in range(first, options.steps):
        drawn = [teacher.draw(step * options.batch + row) for row in range(options.batch)]
        yield encode(
            [(template.render(example.prompt), text) for example, text in drawn], tokenizer, length=length
        )


def train(
    model: Gemma3,
    data_from: Callable[[int], Iterator[TokenBatch]],
    options: WarmStartOptions,
    *,
    mesh: jax.sharding.Mesh,
    directory: Path,
    stopping: Callable[[], bool],
    on_step: Callable[[int, float], None],
) -> bool:
    """Trains all weights of `model` in place on next-token loss; calls `on_step(step, loss)`.

    Weights and optimizer are kept in `directory` every hundred steps and when `stopping` says so,
    and a later call goes on from there to the same numbers.

    Returns:
        Whether all steps are done.
    """
    optimizer = _optimizer(options)
    graph, state = nnx.split(model)
    optimizer_state = complete(optimizer.init(state), mesh)
    step_function = _step_function(graph, optimizer)
    kept = ocp.CheckpointManagerOptions(save_interval_steps=_KEPT_EVERY, max_to_keep=1)
    with on(mesh), ocp.CheckpointManager(directory.absolute(), options=kept) as manager:
        done = manager.latest_step() or 0
        if done:
            arrays = ocp.args.StandardRestore((state, optimizer_state))  # pyright: ignore[reportCallIssue]
            state, optimizer_state = manager.restore(done, args=arrays)
        for step, batch in enumerate(data_from(done), start=done + 1):
            state, optimizer_state, loss = step_function(state, optimizer_state, batch.tokens, batch.targets)
            if step % _SHOWN_EVERY == 0 or step == options.steps:
                on_step(step, float(loss))
            stop = stopping() and step < options.steps
            arrays = ocp.args.StandardSave((state, optimizer_state))  # pyright: ignore[reportCallIssue]
            manager.save(step, args=arrays, force=stop)
            if stop:
                return False
    nnx.update(model, state)
    return True


def _optimizer(options: WarmStartOptions) -> optax.GradientTransformation:
    warmup = options.steps // 20 + 1
    schedule = optax.warmup_cosine_decay_schedule(
        0.0, options.learning_rate, warmup, max(options.steps, warmup + 1)
    )
    return optax.chain(optax.clip_by_global_norm(1.0), optax.adamw(schedule, weight_decay=0.01))


def _step_function(graph: Any, optimizer: optax.GradientTransformation) -> Any:
    def loss_of(weights: Any, tokens: jax.Array, targets: jax.Array) -> jax.Array:
        mask = tokens != PAD_ID
        logits, _ = nnx.merge(graph, weights)(
            tokens, sft_utils.build_positions_from_mask(mask), None, sft_utils.make_causal_attn_mask(mask)
        )
        losses = optax.softmax_cross_entropy_with_integer_labels(logits[:, :-1], tokens[:, 1:])
        return (losses * targets[:, 1:]).sum() / jnp.maximum(targets[:, 1:].sum(), 1.0)

    def update(
        weights: Any, moments: Any, tokens: jax.Array, targets: jax.Array
    ) -> tuple[Any, Any, jax.Array]:
        loss, gradient = jax.value_and_grad(loss_of)(weights, tokens, targets)
        changes, moments = optimizer.update(gradient, moments, weights)
        return optax.apply_updates(weights, changes), moments, loss

    return jax.jit(update, donate_argnums=(0, 1))
