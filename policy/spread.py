"""Arrays over the devices of several processes: how they come there, and how they come back.

Every process makes the same calls in the same order, with the same values. In one process
all of this is what JAX does by itself.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax.experimental import multihost_utils


def to_host(array: jax.Array) -> np.ndarray:
    """Reads a whole array, whichever processes hold its parts."""
    if array.is_fully_addressable or array.is_fully_replicated:
        return np.asarray(jax.device_get(array))
    return np.asarray(multihost_utils.process_allgather(array, tiled=True))


def from_host(array: np.ndarray, mesh: jax.sharding.Mesh) -> jax.Array:
    """Puts an array that every process has on `mesh`, its rows divided over `fsdp` where they divide.

    Tunix 0.1.7 takes an array of one process for that process's part of the rows, and would join
    the copies to a batch as many times as large.
    """
    if jax.process_count() == 1:
        return jnp.asarray(array)
    divides = array.ndim > 0 and array.shape[0] % mesh.shape["fsdp"] == 0
    spec = jax.sharding.PartitionSpec("fsdp") if divides else jax.sharding.PartitionSpec()
    return jax.make_array_from_callback(
        array.shape, jax.sharding.NamedSharding(mesh, spec), lambda index: array[index]
    )


def complete(tree: Any, mesh: jax.sharding.Mesh) -> Any:
    """Puts on `mesh` what each of several processes has for itself, such as counts that start at 0."""
    if jax.process_count() == 1:
        return tree
    return jax.tree.map(
        lambda leaf: from_host(np.asarray(leaf), mesh) if leaf.is_fully_addressable else leaf, tree
    )


def writes(model: nnx.Module) -> bool:
    """Says whether this process writes the files of `model`: of those that share it, the first does."""
    local = all(leaf.is_fully_addressable for leaf in jax.tree.leaves(nnx.state(model)))
    return local or jax.process_index() == 0
