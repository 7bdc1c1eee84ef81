"""A finished policy on disk: base model, adapters, tokenizer, and the prompt it was trained on.

    <run>/policy.json       where the base is, system text and hash of the prompt template, lengths
    <run>/base/             a tiny base in the hub's form; absent for a hub model
    <run>/lora/             adapters in PEFT's form, written at the end of training

A policy answers only prompts rendered by the template it was trained on, so a template
whose hash differs is refused.
"""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp

from policy.errors import PolicyError
from policy.gemma import Gemma3, make_mesh
from policy.lora import apply_lora, load_lora, read_shape
from policy.sampling import GenerationShape, Generator
from policy.sources import Source, load_base, make_generator
from policy.tokenizer import Tokenizer, load_tokenizer

DTYPES: dict[str, Any] = {"float32": jnp.float32, "bfloat16": jnp.bfloat16}


@dataclass(frozen=True, kw_only=True, slots=True)
class PolicyRecord:
    """`policy.json`. `base` is relative to the run when the base lies inside it."""

    base: str
    dtype: str
    system: str
    prompt_hash: str
    max_prompt_tokens: int
    max_new_tokens: int
    source: Source = "tunix"

    def write(self, run_dir: Path) -> None:
        part = run_dir / "policy.json.part"
        part.write_text(json.dumps(asdict(self), indent=2, ensure_ascii=False) + "\n")
        part.replace(run_dir / "policy.json")

    def base_dir(self, run_dir: Path) -> Path:
        """Returns the directory of the base model of the run in `run_dir`."""
        return run_dir / self.base  # an absolute `base` stands for itself

    @classmethod
    def read(cls, run_dir: Path) -> "PolicyRecord":
        """Raises PolicyError when `run_dir` holds no run, or one that this code cannot read."""
        path = run_dir / "policy.json"
        if not path.is_file():
            raise PolicyError(f"policy: no policy.json in {str(run_dir)!r}: pass the directory of a run")
        try:
            return cls(**json.loads(path.read_text()))
        except (TypeError, json.JSONDecodeError) as error:
            raise PolicyError(f"policy: {str(path)!r} cannot be read: {error}") from error


@dataclass(frozen=True, kw_only=True, slots=True)
class Policy:
    """A model ready to answer, with everything that fixes what it answers to."""

    model: Gemma3
    tokenizer: Tokenizer
    record: PolicyRecord
    mesh: jax.sharding.Mesh

    def generator(self, *, rows: int) -> Generator:
        """Makes a sampler for batches of `rows` prompts."""
        shape = GenerationShape(
            rows=rows,
            max_prompt_tokens=self.record.max_prompt_tokens,
            max_new_tokens=self.record.max_new_tokens,
        )
        return make_generator(self.model, self.tokenizer, shape, self.mesh)


def open_policy(run_dir: Path, *, hash_of: Callable[[str], str], trained: bool = True) -> Policy:
    """Loads the policy of a run: with its adapters, or (`trained=False`) the base alone.

    Args:
        run_dir: what `python -m trainer` wrote.
        hash_of: hash of the prompt template of this code for a system text.
        trained: False leaves the adapters out.

    Raises:
        PolicyError: not a finished run, or trained on prompts that this code renders otherwise.
    """
    record = PolicyRecord.read(run_dir)
    found = hash_of(record.system)
    if record.prompt_hash != found:
        raise PolicyError(
            f"policy: {str(run_dir)!r} was trained on prompt template {record.prompt_hash!r}, this code "
            f"renders {found!r}: check out the code of the run, or train anew"
        )
    base_dir = record.base_dir(run_dir)
    mesh = make_mesh(fsdp=1, tp=1)
    model = load_base(base_dir, source=record.source, dtype=DTYPES[record.dtype], mesh=mesh)
    if trained:
        lora_dir = run_dir / "lora"
        model = apply_lora(model, read_shape(lora_dir), seed=0, mesh=mesh)
        load_lora(model, lora_dir)
    return Policy(model=model, tokenizer=load_tokenizer(base_dir), record=record, mesh=mesh)
