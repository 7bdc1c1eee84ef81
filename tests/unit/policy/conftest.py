"""A tiny tokenizer and model, made once for the tests of the policy."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

os.environ.setdefault("JAX_PLATFORMS", "cpu")

import jax
import jax.numpy as jnp
import numpy as np

from policy.gemma import Gemma3, TinyShape, init_tiny, make_mesh, on, save_pretrained, tiny_config
from policy.tokenizer import Tokenizer, load_tokenizer, train_tokenizer

SHAPE = TinyShape(layers=2, width=32, hidden=48, head_dim=16, context=64)


@pytest.fixture(scope="session")
def tokenizer_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    texts = [
        f"<start_of_turn>user\nWhat is {i} plus {j}?<end_of_turn>\n<start_of_turn>model\n"
        f"<reasoning>add {i} and {j}</reasoning><answer>{i + j}</answer>"
        for i in range(20)
        for j in range(20)
    ]
    directory = tmp_path_factory.mktemp("tokenizer")
    train_tokenizer(texts, vocabulary=320, directory=directory)
    return directory


@pytest.fixture(scope="session")
def tokenizer(tokenizer_dir: Path) -> Tokenizer:
    return load_tokenizer(tokenizer_dir)


@pytest.fixture(scope="session")
def mesh() -> jax.sharding.Mesh:
    return make_mesh(fsdp=1, tp=1)


@pytest.fixture(scope="session")
def base(tokenizer: Tokenizer, mesh: jax.sharding.Mesh) -> Gemma3:
    """Read-only: no test may change it."""
    return init_tiny(tiny_config(SHAPE, vocabulary=tokenizer.vocabulary), seed=0, mesh=mesh)


@pytest.fixture
def model_dir(base: Gemma3, tmp_path: Path) -> Path:
    save_pretrained(base, tmp_path / "model")
    return tmp_path / "model"


@pytest.fixture(scope="session")
def logits_of(mesh: jax.sharding.Mesh) -> Callable[[Gemma3], np.ndarray]:
    """Logits of a model on one fixed sequence, float32 [1, 24, vocabulary]."""

    def compute(model: Gemma3) -> np.ndarray:
        tokens = (jnp.arange(24)[None] * 7 + 3) % model.num_embed
        causal = jnp.tril(jnp.ones((1, 24, 24), bool))
        with on(mesh):
            logits, _ = model(tokens, jnp.arange(24)[None], None, causal)
        return np.asarray(logits, np.float32)

    return compute
