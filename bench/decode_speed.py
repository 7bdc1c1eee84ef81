"""Decoding against its floor: the time that reading the weights once a token takes.

`python bench/decode_speed.py`: a Gemma 3 of random weights, large enough not to fit a cache,
decodes one row and then several; between the rounds the machine's memory bandwidth is measured
with the same number of bytes, so that both share the same noise. A ratio of 1 is the floor.
"""

import os
import statistics
import time
from dataclasses import dataclass

os.environ.setdefault("JAX_PLATFORMS", "cpu")

import jax
import jax.numpy as jnp
import numpy as np
import tyro
from flax import nnx

from policy.gemma import Gemma3, ModelConfig, make_mesh, on
from policy.tensors import hub_shapes

_REPEATS = 8  # calls of a measurement


@dataclass(frozen=True, kw_only=True, slots=True)
class BenchConfig:
    layers: int = 6
    """Decoder layers of the real width: 1152, MLP 6912, 4 heads of 256."""
    vocabulary: int = 16384
    """Rows of the embedding; the real one has 262144."""
    cache: int = 256
    """Length of the KV cache."""
    rounds: int = 5
    """Rounds, of 8 tokens each."""


def main() -> None:
    config = tyro.cli(BenchConfig, prog="python bench/decode_speed.py")
    model_config = ModelConfig(
        num_layers=config.layers,
        num_embed=config.vocabulary,
        embed_dim=1152,
        hidden_dim=6912,
        num_heads=4,
        head_dim=256,
        num_kv_heads=1,
        sliding_window_size=512,
        param_dtype=jnp.float32,
    )
    size = 4 * sum(int(np.prod(shape)) for shape in hub_shapes(model_config).values())
    mesh = make_mesh(fsdp=1, tp=1)
    with on(mesh):
        model = Gemma3(model_config, rngs=nnx.Rngs(0))
    read = jax.jit(jnp.sum)
    weights = jnp.ones(size // 4, jnp.float32)
    read(weights).block_until_ready()
    print(f"weights {size / 1e6:.0f} MB, read once a token; {jax.devices()[0].device_kind}")
    for rows in (1, 4, 16):
        decode, cache = _decoder(model, config, rows)
        tokens, floors = [], []
        for _ in range(config.rounds):
            floors.append(_seconds(read, weights))
            tokens.append(_seconds(decode, cache))
        step, floor = statistics.median(tokens), statistics.median(floors)
        print(
            f"rows {rows:>2}: {step * 1e3:6.1f} ms a token, {rows / step:6.1f} tokens/s; reading the weights "
            f"{floor * 1e3:5.1f} ms ({size / floor / 1e9:.1f} GB/s): {step / floor:.2f} x the floor"
        )


def _decoder(model: Gemma3, config: BenchConfig, rows: int):
    graph, state = nnx.split(model)
    shape = (rows, config.cache, 1, 256)
    cache = {
        f"layer_{layer}": {
            "k": jnp.zeros(shape),
            "v": jnp.zeros(shape),
            "end_index": jnp.full((rows,), config.cache // 2, jnp.int32),
        }
        for layer in range(config.layers)
    }
    mask = jnp.ones((rows, 1, config.cache), bool)
    token, position = jnp.ones((rows, 1), jnp.int32), jnp.full((rows, 1), config.cache // 2)
    step = jax.jit(lambda s, c: nnx.merge(graph, s)(token, position, c, mask))

    def decode(cache: object) -> object:
        return step(state, cache)

    jax.block_until_ready(decode(cache))
    return decode, cache


def _seconds(call, argument) -> float:
    began = time.perf_counter()
    for _ in range(_REPEATS):
        jax.block_until_ready(call(argument))
    return (time.perf_counter() - began) / _REPEATS


if __name__ == "__main__":
    main()
