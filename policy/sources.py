"""Whose code computes Gemma 3: Tunix's model, or MaxText's where that is installed.

Both load the same files. A new source is a row in each of the functions below, and gives a module
with `config`, `get_model_input()` and `(tokens, positions, cache, attention_mask) -> (logits, cache)`.
"""

from pathlib import Path
from typing import Any, Literal

import jax

from policy import gemma, maxtext_source
from policy.sampling import GenerationShape, Generator
from policy.tokenizer import Tokenizer
from policy.uncached import UncachedGenerator

Source = Literal["tunix", "maxtext"]


def check(source: Source) -> None:
    """Makes sure that `source` can be used.

    Raises:
        policy.errors.PolicyError: it is not installed; says how to get it.
    """
    if source == "maxtext":
        maxtext_source.check_installed()


def load_base(directory: Path, *, source: Source, dtype: Any, mesh: jax.sharding.Mesh) -> Any:
    """Loads a checkpoint in the hub's form.

    Raises:
        policy.errors.PolicyError: the files are no Gemma 3 text weights, or `source` cannot be used.
    """
    load = maxtext_source.load_pretrained if source == "maxtext" else gemma.load_pretrained
    return load(directory, dtype=dtype, mesh=mesh)


def make_generator(
    model: Any, tokenizer: Tokenizer, shape: GenerationShape, mesh: jax.sharding.Mesh
) -> Generator:
    """Returns a sampler for `model`, with a KV cache where the model has one."""
    if isinstance(model, maxtext_source.MaxTextGemma3):
        return UncachedGenerator(model, tokenizer, shape, mesh)
    return Generator(model, tokenizer, shape, mesh)
