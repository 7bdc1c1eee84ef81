"""Gemma 3 as a JAX model: configurations, construction, loading, and its Hugging Face form.

The model is Tunix's `Gemma3`; on disk it is always a directory in the form of the
Hugging Face hub (`config.json`, `model.safetensors` under the hub's tensor names, a
tokenizer), so that the tiny model of this repository and Google's checkpoints are read
by one loader. Nothing here knows of LoRA or of training.
"""

import contextlib
import json
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import huggingface_hub
import jax
import jax.numpy as jnp
import numpy as np
import safetensors.numpy
from flax import nnx
from huggingface_hub import errors as hub_errors
from tunix.models.gemma3 import model as gemma3
from tunix.models.gemma3 import params_safetensors

from policy import hub_config, hub_files
from policy.errors import PolicyError
from policy.spread import writes
from policy.tensors import to_tensors

ModelConfig = gemma3.ModelConfig
Gemma3 = gemma3.Gemma3
Model = TypeVar("Model", bound=nnx.Module)


@dataclass(frozen=True, kw_only=True, slots=True)
class TinyShape:
    """The size of a model made from nothing. Four heads and one KV head, as in the 1B."""

    layers: int = 2
    width: int = 64
    hidden: int = 256
    head_dim: int = 32
    context: int = 512


def tiny_config(shape: TinyShape, *, vocabulary: int) -> ModelConfig:
    """Builds a float32 configuration whose attention window covers the whole context.

    Fewer than six layers are all local attention, so the window must not be shorter than
    the context.
    """
    return ModelConfig(
        num_layers=shape.layers,
        num_embed=vocabulary,
        embed_dim=shape.width,
        hidden_dim=shape.hidden,
        num_heads=4,
        head_dim=shape.head_dim,
        num_kv_heads=1,
        sliding_window_size=shape.context,
        param_dtype=jnp.float32,
    )


def init_tiny(config: ModelConfig, *, seed: int, mesh: jax.sharding.Mesh) -> Gemma3:
    """Makes a random model ready for training.

    Tunix starts every MLP kernel at zero, which would leave the MLP without gradient for
    ever; here they are drawn from N(0, 1/fan_in), and so are the attention projections.
    """
    with on(mesh):
        model = Gemma3(config, rngs=nnx.Rngs(seed))
        key = jax.random.key(seed)
        for index, (path, variable) in enumerate(nnx.to_flat_state(nnx.state(model, nnx.Param))):
            if path[-1] in {"kernel", "w"}:
                shape = variable[...].shape
                fan_in = shape[0] * shape[1] if path[-2] == "attn_vec_einsum" else shape[-2]
                noise = jax.random.normal(jax.random.fold_in(key, index), shape, variable[...].dtype)
                variable[...] = noise * fan_in**-0.5
        return place(model, mesh)


def copy_to(model: Gemma3, mesh: jax.sharding.Mesh) -> Gemma3:
    """Returns a copy of `model` on other devices, under the sharding its parameters declare there."""
    graph, state = nnx.split(model)
    with on(mesh):
        return nnx.merge(graph, jax.device_put(state, nnx.get_named_sharding(state, mesh)))


def devices_of(model: Gemma3) -> set[Any]:
    """Returns the devices that hold the parameters of `model`."""
    return set().union(*(leaf.devices() for leaf in jax.tree.leaves(nnx.state(model))))


def place(model: Model, mesh: jax.sharding.Mesh) -> Model:
    """Puts every parameter of `model` on `mesh` under the sharding it declares."""
    state = nnx.state(model)
    nnx.update(model, jax.device_put(state, nnx.get_named_sharding(state, mesh)))
    return model


@contextlib.contextmanager
def on(mesh: jax.sharding.Mesh) -> Iterator[None]:
    """Makes `mesh` the current one, in the way Tunix 0.1.7 looks for it.

    `jax.set_mesh` would leave that place empty, so the deprecated form stays, in silence.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        mesh.__enter__()
    try:
        yield
    finally:
        mesh.__exit__(None, None, None)


def make_mesh(*, fsdp: int, tp: int, first: int = 0) -> jax.sharding.Mesh:
    """Arranges the devices from `first` on as (fsdp, tp). `fsdp` of 0 takes all devices that `tp` leaves.

    Raises:
        PolicyError: this machine has too few devices, or they do not divide.
    """
    devices = jax.devices()[first:]
    rows = fsdp or len(devices) // tp
    if rows * tp > len(devices) or rows == 0:
        raise PolicyError(
            f"mesh: fsdp={fsdp} x tp={tp} needs {max(rows, 1) * tp} devices, found {len(devices)}"
            + (f" behind the first {first}" if first else "")
        )
    # Mesh(), not jax.make_mesh(): Tunix needs Auto axes.
    return jax.sharding.Mesh(np.array(devices[: rows * tp]).reshape(rows, tp), ("fsdp", "tp"))


def resolve_model(name_or_directory: str) -> Path:
    """Finds the directory of a checkpoint: a local path, or a model of the hub.

    Raises:
        PolicyError: neither is there; says what to put where.
    """
    local = Path(name_or_directory).expanduser()
    if (local / "config.json").is_file():
        return local
    if local.is_absolute() or name_or_directory.startswith("."):
        raise PolicyError(f"model: no config.json in {str(local)!r}: put the checkpoint's files there")
    try:
        return Path(
            huggingface_hub.snapshot_download(
                name_or_directory, allow_patterns=["*.safetensors", "*.json", "tokenizer.model"]
            )
        )
    except (
        hub_errors.HfHubHTTPError,
        hub_errors.LocalEntryNotFoundError,
        hub_errors.HFValidationError,
        OSError,
    ) as error:
        raise PolicyError(
            f"model: cannot fetch {name_or_directory!r} from the hub ({type(error).__name__}): accept the "
            f"model's licence and log in with `hf auth login`, or pass a directory that holds config.json, "
            f"*.safetensors and tokenizer.model as --model.pretrained"
        ) from error


def load_pretrained(directory: Path, *, dtype: Any, mesh: jax.sharding.Mesh) -> Gemma3:
    """Loads a checkpoint in the hub's form, every parameter in `dtype`, on `mesh`.

    Raises:
        PolicyError: files are missing or are not Gemma 3 text weights.
    """
    config = read_config(directory)
    hub_files.check(directory, config)
    config.param_dtype = dtype
    with on(mesh):
        return params_safetensors.create_model_from_safe_tensors(str(directory), config, mesh, dtype)


def read_config(directory: Path) -> ModelConfig:
    """Reads `config.json` of a Gemma 3 text model.

    Raises:
        PolicyError: the file is missing, or describes another architecture.
    """
    return hub_config.from_hub(read_hub_values(directory))


def read_hub_values(directory: Path) -> dict[str, Any]:
    """Reads `config.json` as it stands.

    Raises:
        PolicyError: the file is missing or is not a JSON object.
    """
    path = directory / "config.json"
    if not path.is_file():
        raise PolicyError(f"model: no config.json in {str(directory)!r}")
    try:
        values = json.loads(path.read_text())
    except json.JSONDecodeError as error:
        raise PolicyError(f"model: {str(path)!r} is not JSON: {error}") from error
    if not isinstance(values, dict):
        raise PolicyError(f"model: {str(path)!r} must hold an object, got {type(values).__name__}")
    return values


def save_pretrained(model: Gemma3, directory: Path) -> None:
    """Writes `config.json` and `model.safetensors` in the hub's form.

    All processes that share the model call this, and the first writes.
    """
    tensors = dict(to_tensors(model))
    if not writes(model):
        return
    directory.mkdir(parents=True, exist_ok=True)
    values = hub_config.to_hub(model.config)
    (directory / "config.json").write_text(json.dumps(values, indent=2) + "\n")
    safetensors.numpy.save_file(tensors, directory / "model.safetensors", metadata={"format": "pt"})
