# pyright: basic
"""Graded completions as one flat Parquet table: `pandas.read_parquet` reads it as it is.

pyarrow ships no types, so this file is checked loosely.
Columns that a row does not have are null: a failure has no value, a story no correctness.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from evals.grade import Graded
from reward_client.api import Failure, Score

_TEXTS = ("example_id", "dataset", "domain", "reward", "prompt", "completion")
_SCORE_NUMBERS = ("value", "format", "correctness", "quality")
SCHEMA = pa.schema(
    [
        *((name, pa.string()) for name in _TEXTS),
        ("sample_index", pa.int32()),
        *((name, pa.float64()) for name in _SCORE_NUMBERS),
        ("verdict", pa.string()),
        ("explanation", pa.string()),
        ("failure_kind", pa.string()),
        ("failure_message", pa.string()),
        ("reward_version", pa.string()),
        ("cached", pa.bool_()),
        ("queue_ms", pa.float64()),
        ("grade_ms", pa.float64()),
    ]
)


def write_samples(path: Path, graded: Sequence[Graded]) -> None:
    """Write a row a completion, in order."""
    table = pa.Table.from_pylist([_flat(item) for item in graded], schema=SCHEMA)
    pq.write_table(table, path, compression="zstd")


def _flat(item: Graded) -> dict[str, Any]:
    outcome = item.outcome
    row: dict[str, Any] = {
        "example_id": item.example_id,
        "dataset": item.dataset,
        "domain": item.domain.value,
        "reward": item.reward,
        "prompt": _valid(item.prompt),
        "completion": _valid(item.completion),
        "sample_index": item.sample_index,
        "reward_version": outcome.reward_version,
        "cached": outcome.cached,
        "queue_ms": outcome.queue_ms,
        "grade_ms": outcome.grade_ms,
    }
    match outcome.result:
        case Score() as score:
            components = {name: score.components.get(name) for name in _SCORE_NUMBERS[1:]}
            return (
                row
                | components
                | {
                    "value": score.value,
                    "verdict": score.verdict,
                    "explanation": _valid(score.explanation),
                }
            )
        case Failure() as failure:
            return row | {"failure_kind": failure.kind, "failure_message": _valid(failure.message)}


def _valid(text: str) -> str:
    """Replace what UTF-8 cannot hold: half of a surrogate pair, which a tokenizer may emit."""
    return text.encode(errors="replace").decode()
