"""Safetensors files of a Gemma 3 checkpoint: checked before they are loaded, written in shards.

Tunix's loader maps every file as one array of one type and drops names it does not know;
so a file that is incomplete, mixed or of another model would load to wrong numbers or end in
an unrelated error. The headers say all of it beforehand and cost nothing to read.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import safetensors
import safetensors.numpy
from tunix.models.gemma3 import model as gemma3

from policy.errors import PolicyError
from policy.tensors import hub_shapes

INDEX = "model.safetensors.index.json"
Read = Callable[[str], np.ndarray]
_IGNORED = {"lm_head.weight"}  # tied to the embedding; some files carry it all the same


@dataclass(frozen=True, kw_only=True, slots=True)
class StoredTensor:
    """Where a tensor is and what it is; `dtype` as safetensors spells it, e.g. BF16."""

    file: Path
    dtype: str
    shape: tuple[int, ...]

    def read(self, name: str) -> np.ndarray:
        with safetensors.safe_open(self.file, framework="numpy") as opened:
            return opened.get_tensor(name)


def read_headers(directory: Path) -> Mapping[str, StoredTensor]:
    """Lists the tensors of all `*.safetensors` in `directory`, by name.

    Raises:
        PolicyError: there are no such files, one cannot be read, or a name comes twice.
    """
    found: dict[str, StoredTensor] = {}
    files = sorted(directory.glob("*.safetensors"))
    if not files:
        raise PolicyError(f"model: no *.safetensors in {str(directory)!r}")
    for file in files:
        try:
            with safetensors.safe_open(file, framework="numpy") as opened:
                for name in opened.keys():  # noqa: SIM118 - not a mapping
                    view = opened.get_slice(name)
                    if name in found:
                        raise PolicyError(
                            f"model: {name!r} is both in {found[name].file.name!r} and in {file.name!r}: "
                            f"leave the files of one checkpoint in {str(directory)!r}"
                        )
                    found[name] = StoredTensor(
                        file=file, dtype=view.get_dtype(), shape=tuple(view.get_shape())
                    )
        except safetensors.SafetensorError as error:
            raise PolicyError(f"model: {str(file)!r} is cut short or damaged: {error}") from error
    return found


def check(directory: Path, config: gemma3.ModelConfig) -> None:
    """Compares the files with the architecture of `config`.

    Raises:
        PolicyError: a tensor is missing, unknown, or of another shape or type than it must be.
    """
    found = {name: t for name, t in read_headers(directory).items() if name not in _IGNORED}
    expected = hub_shapes(config)
    where = f"model: {str(directory)!r}"
    if missing := sorted(expected.keys() - found.keys()):
        raise PolicyError(f"{where} lacks {len(missing)} tensors, first {missing[0]!r}: copy all its files")
    if unknown := sorted(found.keys() - expected.keys()):
        raise PolicyError(f"{where} has {len(unknown)} tensors that Gemma 3 has not, first {unknown[0]!r}")
    for name, tensor in found.items():
        if tensor.shape != expected[name]:
            raise PolicyError(f"{where}: {name!r} is {tensor.shape}, config.json needs {expected[name]}")
    for file in {tensor.file for tensor in found.values()}:
        dtypes = sorted({tensor.dtype for tensor in found.values() if tensor.file == file})
        if len(dtypes) > 1:
            raise PolicyError(f"model: {str(file)!r} mixes the types {dtypes}: write it with one type")


def plan_shards(sizes: Mapping[str, int], *, limit: int) -> list[list[str]]:
    """Divides tensors, sizes in bytes, in their order into files of at most `limit` bytes.

    A tensor above the limit has a file of its own.
    """
    shards: list[list[str]] = []
    used = 0
    for name, size in sizes.items():
        if not shards or used + size > limit:
            shards.append([])
            used = 0
        shards[-1].append(name)
        used += size
    return shards


def write_shards(
    directory: Path, shapes: Mapping[str, tuple[int, ...]], dtype: np.dtype, *, limit: int, read: Read
) -> list[Path]:
    """Writes tensors in the hub's form, one file in memory at a time; returns the files.

    Args:
        directory: exists.
        shapes: names and shapes of what is written.
        dtype: type of every tensor written.
        limit: bytes of a file.
        read: gives a tensor by its name, in any floating type.
    """
    sizes = {name: int(np.prod(shape)) * dtype.itemsize for name, shape in sorted(shapes.items())}
    shards = plan_shards(sizes, limit=limit)
    weight_map: dict[str, str] = {}
    files: list[Path] = []
    for number, names in enumerate(shards, start=1):
        alone = len(shards) == 1
        file = "model.safetensors" if alone else f"model-{number:05d}-of-{len(shards):05d}.safetensors"
        tensors = {name: np.ascontiguousarray(read(name).astype(dtype)) for name in names}
        safetensors.numpy.save_file(tensors, directory / file, metadata={"format": "pt"})
        weight_map |= dict.fromkeys(names, file)
        files.append(directory / file)
    if len(shards) > 1:
        index = {"metadata": {"total_size": sum(sizes.values())}, "weight_map": weight_map}
        (directory / INDEX).write_text(json.dumps(index, indent=2) + "\n")
    return files
