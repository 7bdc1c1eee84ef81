"""Settings of the process that JAX and its companions read: caches and noise."""

import logging
import warnings
from pathlib import Path

import jax


def prepare(*, cache: Path) -> None:
    """Keeps compiled programs in `cache` across runs, and silences what nobody can act on."""
    jax.config.update("jax_compilation_cache_dir", str(cache.absolute()))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)
    # Tunix 0.1.7 looks for the mesh where only the deprecated form puts it; see policy.gemma.on.
    warnings.filterwarnings("ignore", message="`with mesh:`", category=DeprecationWarning)
    logging.getLogger("absl").setLevel(logging.ERROR)
