"""Completions from a model without a KV cache: the whole text is computed anew for every token.

Same prompts, keys and results in form as `policy.sampling`; slower by about the length of a
text in tokens. Random completions are other ones, as Tunix's sampler splits its keys otherwise.
"""

import functools
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from tunix.generate import tokenizer_adapter

from policy.gemma import on
from policy.sampling import Completion, GenerationShape, Generator, RawBatch
from policy.tokenizer import BOS_ID, PAD_ID, Tokenizer


class UncachedGenerator(Generator):
    """Samples from one model by its forward alone; not safe for concurrent calls."""

    def __init__(
        self, model: Any, tokenizer: Tokenizer, shape: GenerationShape, mesh: jax.sharding.Mesh
    ) -> None:
        self.model = model
        self.tokenizer = tokenizer
        self.shape = shape
        self.mesh = mesh
        self._backend = tokenizer_adapter.TokenizerAdapter(tokenizer.backend)
        # Wrapped, as programs of one function are counted together, whatever generator compiled them.
        self._decode: Any = jax.jit(functools.partial(_decode), static_argnames=("new", "stop_ids", "greedy"))

    @property
    def backend(self) -> Any:
        return self._backend

    @property
    def compilations(self) -> int:
        return self._decode._cache_size()

    def generate_rows(self, prompts: Sequence[str], *, temperature: float, key: jax.Array) -> RawBatch:
        self._check_lengths(prompts)
        length, new = self.shape.max_prompt_tokens, self.shape.max_new_tokens
        padded = np.full((len(prompts), length), PAD_ID, np.int32)
        for row, prompt in zip(padded, prompts, strict=True):
            ids = [BOS_ID, *self.tokenizer.encode(prompt)]
            row[length - len(ids) :] = ids
        graph, state = nnx.split(self.model)
        with on(self.mesh):
            written = self._decode(
                graph,
                state,
                jnp.asarray(padded),
                key,
                temperature or 1.0,
                new=new,
                stop_ids=self.tokenizer.stop_ids,
                greedy=temperature == 0,
            )
        return RawBatch(
            completions=[self._completion(row) for row in np.asarray(written)], prompt_tokens=padded
        )

    def _completion(self, row: np.ndarray) -> Completion:
        ends = np.flatnonzero(np.isin(row, self.tokenizer.stop_ids))
        kept = row if not ends.size else row[: ends[0] + 1]
        said = row if not ends.size else row[: ends[0]]
        return Completion(
            text=self.tokenizer.decode(said.tolist()), tokens=tuple(kept.tolist()), truncated=not ends.size
        )


def _decode(
    graph: Any,
    state: Any,
    prompts: jax.Array,
    key: jax.Array,
    temperature: jax.Array,
    *,
    new: int,
    stop_ids: tuple[int, ...],
    greedy: bool,
) -> jax.Array:
    """Returns what follows the left-padded prompts [rows, P], as tokens [rows, new]."""
    rows, length = prompts.shape
    total = length + new
    causal = jnp.tril(jnp.ones((total, total), jnp.bool_))

    def unfinished(carry: tuple[jax.Array, jax.Array, jax.Array]) -> jax.Array:
        number, _, done = carry
        return (number < new) & ~done.all()

    def write(carry: tuple[jax.Array, jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array, jax.Array]:
        number, tokens, done = carry
        real = tokens != PAD_ID
        positions = jnp.maximum(jnp.cumsum(real, axis=-1) - 1, 0)
        # Merged at this level of tracing, as MaxText's layers write to themselves.
        model = nnx.merge(graph, state, copy=True)
        logits, _ = model(tokens, positions, None, causal & real[:, None, :])
        last = jax.lax.dynamic_index_in_dim(logits, length + number - 1, axis=1, keepdims=False)
        drawn = jax.random.categorical(jax.random.fold_in(key, number), last / temperature)
        chosen = jnp.where(done, PAD_ID, jnp.argmax(last, axis=-1) if greedy else drawn).astype(tokens.dtype)
        tokens = jax.lax.dynamic_update_index_in_dim(tokens, chosen, length + number, axis=1)
        stopped = functools.reduce(jnp.logical_or, [chosen == stop for stop in stop_ids])
        return number + 1, tokens, done | stopped

    tokens = jnp.concatenate([prompts, jnp.full((rows, new), PAD_ID, prompts.dtype)], axis=1)
    start = (jnp.asarray(0), tokens, jnp.zeros(rows, jnp.bool_))
    return jax.lax.while_loop(unfinished, write, start)[1][:, length:]
