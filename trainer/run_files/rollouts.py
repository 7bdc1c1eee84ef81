"""Completions as Parquet, a file a step: what pages and notebooks read while a run trains.

`rollouts/step-000012.parquet` holds a row a completion, in the order of the batch, and is
there whole or not at all. A resumed run writes the steps that it repeats anew.
"""

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from trainer.run_files.records import RolloutRecord

DIRECTORY = "rollouts"
_TEXTS = ("sample_id", "group_id", "example_id", "domain", "reward", "prompt", "completion")
# Components with columns of their own; a reward's others are in `components` alone.
_NUMBERS = ("format", "correctness", "quality", "visible", "hidden")
SCHEMA = pa.schema(
    [
        ("step", pa.int32()),
        *((name, pa.string()) for name in _TEXTS),
        ("tokens", pa.int32()),
        ("truncated", pa.bool_()),
        ("score", pa.float64()),
        *((name, pa.float64()) for name in _NUMBERS),
        ("components", pa.string()),
        ("verdict", pa.string()),
        ("failure", pa.string()),
        ("explanation", pa.string()),
        ("reward_version", pa.string()),
        ("advantage", pa.float64()),
        ("in_loss", pa.bool_()),
    ]
)


def write_rollouts(directory: Path, rollouts: Sequence[RolloutRecord]) -> Path:
    """Writes the completions of one step and returns the file.

    A score that there is not is null, and so are verdict and failure where they say nothing.
    """
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / f"step-{rollouts[0].step:06}.parquet"
    part = path.with_suffix(".part")
    pq.write_table(pa.Table.from_pylist([_row(rollout) for rollout in rollouts], schema=SCHEMA), part)
    part.replace(path)
    return path


def _row(rollout: RolloutRecord) -> dict[str, Any]:
    return {
        "step": rollout.step,
        **{name: _valid(getattr(rollout, name)) for name in _TEXTS},
        "tokens": rollout.tokens,
        "truncated": rollout.truncated,
        "score": None if math.isnan(rollout.score) else rollout.score,
        **{name: rollout.components.get(name) for name in _NUMBERS},
        "components": json.dumps(dict(rollout.components)),
        "verdict": rollout.verdict or None,
        "failure": rollout.failure or None,
        "explanation": _valid(rollout.explanation),
        "reward_version": rollout.reward_version,
        "advantage": rollout.advantage,
        "in_loss": rollout.in_loss,
    }


def _valid(text: str) -> str:
    """Replaces what UTF-8 cannot hold: half of a surrogate pair, which a tokenizer may emit."""
    return text.encode(errors="replace").decode()
