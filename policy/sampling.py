"""Completions from a model, in batches of one fixed shape so that nothing is compiled twice.

Shapes: `rows` prompts, left-padded to `max_prompt_tokens`, continued by up to
`max_new_tokens`. The same object serves rollouts and evals, and reads the model's
present weights at every call.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import jaxtyping
import numpy as np
from flax import nnx
from tunix.generate import sampler as tunix_sampler
from tunix.models.gemma3 import model as gemma3

from policy.errors import PolicyError
from policy.gemma import Gemma3, copy_to, devices_of, on
from policy.tokenizer import Tokenizer


@dataclass(frozen=True, kw_only=True, slots=True)
class Completion:
    """What the model wrote. `text` is without the stop mark, `tokens` with it.

    `truncated` says that no stop mark came within the limit.
    """

    text: str
    tokens: tuple[int, ...]
    truncated: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class GenerationShape:
    """Rows of a batch, and lengths in tokens. All are static shapes of compiled programs."""

    rows: int
    max_prompt_tokens: int
    max_new_tokens: int


@dataclass(frozen=True, kw_only=True, slots=True)
class RawBatch:
    """One sampler call: completions in order, and the left-padded prompts [rows, prompt]."""

    completions: list[Completion]
    prompt_tokens: np.ndarray


class _LastTokenEmbedder(gemma3.Embedder):
    """Decodes the last position alone: a sampler uses no other, and logits are the largest array.

    32 prompts of 512 tokens over Gemma's vocabulary would be 17 GB in float32.
    """

    def decode(self, x: jaxtyping.ArrayLike) -> jaxtyping.Array:
        return super().decode(jnp.asarray(x)[:, -1:])


def _for_sampling(model: Gemma3) -> Gemma3:
    """Returns `model` over the same arrays, with logits [rows, 1, vocabulary]."""
    graph, state = nnx.split(model)
    clone = nnx.merge(graph, state)
    clone.embedder.__class__ = _LastTokenEmbedder
    return clone


class _StopKeepingSampler(tunix_sampler.Sampler):
    """Tunix's sampler, which cuts the stop mark off, made to remember its token buffer."""

    def __init__(self, *args: Any, cache_dtype: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.token_buffer: jax.Array | None = None
        self._cache_dtype = cache_dtype
        self.decode = decode = self._compiled_decode_fn

        def decode_and_remember(params: Any, state: Any) -> Any:
            result = decode(params, state)
            self.token_buffer = result.token_buffer
            return result

        self._compiled_decode_fn = decode_and_remember

    @property
    def dtype(self) -> Any:
        """Type of the KV cache: that of the activations, float32 once adapters are."""
        return self._cache_dtype


class Generator:
    """Samples from one model; not safe for concurrent calls.

    Where `mesh` is of other devices than the model's, a copy is sampled there, and what is
    trained (the adapters, where there are any) is copied to it before every call.
    """

    def __init__(
        self, model: Gemma3, tokenizer: Tokenizer, shape: GenerationShape, mesh: jax.sharding.Mesh
    ) -> None:
        self.model = model
        self.tokenizer = tokenizer
        self.shape = shape
        self.mesh = mesh
        self._sampled = model if devices_of(model) == set(mesh.devices.flat) else copy_to(model, mesh)
        config = model.config
        adapters = jax.tree.leaves(nnx.state(model, nnx.LoRAParam))
        self._trained = nnx.LoRAParam if adapters else nnx.Param
        self._sampler = _StopKeepingSampler(
            _for_sampling(self._sampled),
            tokenizer.backend,
            tunix_sampler.CacheConfig(
                cache_size=shape.max_prompt_tokens + shape.max_new_tokens,
                num_layers=config.num_layers,
                num_kv_heads=config.num_kv_heads,
                head_dim=config.head_dim,
            ),
            cache_dtype=adapters[0].dtype if adapters else config.param_dtype,
        )

    @property
    def backend(self) -> Any:
        """The tokenizer as Tunix wraps it."""
        return self._sampler.tokenizer

    @property
    def compilations(self) -> int:
        """Decode programs compiled so far."""
        return self._sampler.decode._cache_size()

    def generate(
        self,
        prompts: Sequence[str],
        *,
        temperature: float,
        key: jax.Array,
        on_done: Callable[[int], None] = lambda _: None,
    ) -> list[Completion]:
        """Completes rendered prompts in order; a temperature of 0 is greedy and ignores `key`.

        `on_done` is told after each batch how many prompts it completed.

        Raises:
            PolicyError: a prompt is longer than `shape.max_prompt_tokens`.
        """
        completions: list[Completion] = []
        for start in range(0, len(prompts), self.shape.rows):
            chunk = list(prompts[start : start + self.shape.rows])
            padded = chunk + [chunk[-1]] * (self.shape.rows - len(chunk))
            batch = self.generate_rows(padded, temperature=temperature, key=jax.random.fold_in(key, start))
            completions.extend(batch.completions[: len(chunk)])
            on_done(len(chunk))
        return completions

    def generate_rows(self, prompts: Sequence[str], *, temperature: float, key: jax.Array) -> RawBatch:
        """Completes as many prompts as the caller has, in one call of that batch shape."""
        self._check_lengths(prompts)
        limit = self.shape.max_new_tokens
        sampler_key: Any = key  # Tunix takes keys too; its annotation says int
        with on(self.mesh):
            self._follow_model()
            self._sampler.transformer_state = nnx.variables(self._sampled)
            output = self._sampler(
                list(prompts),
                max_generation_steps=limit,
                max_prompt_length=self.shape.max_prompt_tokens,
                # Greedy is chosen by top_p=None; temperature=0 with top_p=1 divides by zero.
                temperature=temperature or 1.0,
                top_p=1.0 if temperature > 0 else None,
                seed=sampler_key,
                eos_tokens=list(self.tokenizer.stop_ids),
            )
        assert self._sampler.token_buffer is not None
        buffer = np.asarray(self._sampler.token_buffer)[:, self.shape.max_prompt_tokens :]
        completions = [
            _completion(text, row, len(tokens), limit)
            for text, row, tokens in zip(output.text, buffer, output.tokens, strict=True)
        ]
        return RawBatch(completions=completions, prompt_tokens=np.asarray(output.padded_prompt_tokens))

    def _follow_model(self) -> None:
        if self._sampled is not self.model:
            shardings = jax.tree.map(lambda leaf: leaf.sharding, nnx.state(self._sampled, self._trained))
            nnx.update(self._sampled, jax.device_put(nnx.state(self.model, self._trained), shardings))

    def _check_lengths(self, prompts: Sequence[str]) -> None:
        for prompt in prompts:
            length = self.tokenizer.prompt_length(prompt)
            if length > self.shape.max_prompt_tokens:
                raise PolicyError(
                    f"prompt of {length} tokens exceeds max_prompt_tokens={self.shape.max_prompt_tokens}: "
                    f"{prompt[:60]!r}: drop it or raise the limit"
                )


def _completion(text: str, row: np.ndarray, length: int, limit: int) -> Completion:
    truncated = length >= limit
    kept = row[: length if truncated else length + 1]
    return Completion(text=text, tokens=tuple(int(token) for token in kept), truncated=truncated)
