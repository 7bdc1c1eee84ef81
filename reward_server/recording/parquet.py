# pyright: basic
# pyarrow has no types; this file is the border, and its functions are fully typed.
"""Recorded samples as Parquet files, and back; the only file that knows pyarrow.

One row a sample. The reference is a struct with one field a kind, of which exactly one is
set, as on the wire. A score fills value, components, verdict and explanation; a failure
fills failure_kind and failure_message; the other columns of the two are null.
"""

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from reward_server.api import Failure, FailureKind, Outcome, Reference, Sample, Score, Verdict
from reward_server.recording.rows import Recorded
from reward_server.wire import REFERENCES

SUFFIX = ".parquet"
_ROWS = 4_096
_READ_ROWS = 1_024
_TEXTS = pa.list_(pa.string())
_REFERENCE = pa.struct(
    {
        "math": pa.struct({"answer": pa.string()}),
        "code": pa.struct(
            {
                "tests": _TEXTS,
                "setup": pa.string(),
                "imports": _TEXTS,
                "entry_point": pa.string(),
                "hidden_tests": _TEXTS,
                "reference_cpu_ms": pa.float64(),
            }
        ),
        "choice": pa.struct({"labels": _TEXTS, "texts": _TEXTS, "correct_label": pa.string()}),
        "boolean": pa.struct({"value": pa.bool_()}),
        "text": pa.struct({"reference": pa.string(), "source": pa.string()}),
    }
)
SCHEMA = pa.schema(
    {
        "call_id": pa.string(),
        "at": pa.timestamp("us", tz="UTC"),
        "server_version": pa.string(),
        "configuration_hash": pa.string(),
        "sample_id": pa.string(),
        "reward": pa.string(),
        "reward_version": pa.string(),
        "prompt": pa.string(),
        "completion": pa.string(),
        "reference": _REFERENCE,
        "group_id": pa.string(),
        "metadata": pa.map_(pa.string(), pa.string()),
        "value": pa.float64(),
        "components": pa.map_(pa.string(), pa.float64()),
        "verdict": pa.string(),
        "explanation": pa.string(),
        "failure_kind": pa.string(),
        "failure_message": pa.string(),
        "cached": pa.bool_(),
        "queue_ms": pa.float64(),
        "grade_ms": pa.float64(),
    }
)
_KINDS = {kind: name for name, kind in REFERENCES.items()}


def write(file: Path, calls: Iterable[list[Recorded]]) -> int:
    """Write a file that readers see whole or not at all; returns its rows, and makes none of none.

    Raises:
        OSError: it cannot be written.
    """
    part = file.with_name(f".{file.name}.part")
    written = 0
    waiting: list[dict[str, Any]] = []
    with open(part, "wb", opener=_private) as sink, pq.ParquetWriter(sink, SCHEMA, compression="zstd") as to:
        for call in calls:
            waiting += map(_row, call)
            if len(waiting) >= _ROWS:
                to.write_table(pa.Table.from_pylist(waiting, schema=SCHEMA))
                written += len(waiting)
                waiting = []
        if waiting:
            to.write_table(pa.Table.from_pylist(waiting, schema=SCHEMA))
            written += len(waiting)
    if not written:
        part.unlink()
        return 0
    _sync(part)
    part.rename(file)
    _sync(file.parent)
    return written


def read(file: Path) -> Iterator[Recorded]:
    """Read a file row by row.

    Raises:
        ValueError: it is no Parquet file, or not one of a recording.
        OSError: it cannot be read.
    """
    with pq.ParquetFile(file) as source:
        if missing := set(SCHEMA.names) - set(source.schema_arrow.names):
            raise ValueError(f"{str(file)!r} is no recording: it has no column {', '.join(sorted(missing))}")
        for batch in source.iter_batches(_READ_ROWS, columns=SCHEMA.names):
            yield from map(_recorded, batch.to_pylist(maps_as_pydicts="strict"))


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _row(recorded: Recorded) -> dict[str, Any]:
    sample, outcome = recorded.sample, recorded.outcome
    return {
        "call_id": recorded.call_id,
        "at": recorded.at,
        "server_version": recorded.server_version,
        "configuration_hash": recorded.configuration_hash,
        "sample_id": sample.sample_id,
        "reward": sample.reward,
        "reward_version": outcome.reward_version,
        "prompt": sample.prompt,
        "completion": sample.completion,
        "reference": sample.reference and {_KINDS[type(sample.reference)]: asdict(sample.reference)},
        "group_id": sample.group_id,
        "metadata": list(sample.metadata.items()),
        **_result(outcome.result),
        "cached": outcome.cached,
        "queue_ms": outcome.queue_ms,
        "grade_ms": outcome.grade_ms,
    }


def _result(result: Score | Failure) -> dict[str, Any]:
    if isinstance(result, Failure):
        return {"failure_kind": result.kind.value, "failure_message": result.message}
    return {
        "value": result.value,
        "components": list(result.components.items()),
        "verdict": result.verdict.value,
        "explanation": result.explanation,
    }


def _recorded(row: Mapping[str, Any]) -> Recorded:
    sample = Sample(
        sample_id=row["sample_id"],
        reward=row["reward"],
        prompt=row["prompt"],
        completion=row["completion"],
        reference=_reference(row["reference"]),
        group_id=row["group_id"],
        metadata=row["metadata"],
    )
    if row["failure_kind"] is not None:
        result = Failure(kind=FailureKind(row["failure_kind"]), message=row["failure_message"])
    else:
        result = Score(
            value=row["value"],
            components=row["components"],
            verdict=Verdict(row["verdict"]),
            explanation=row["explanation"],
        )
    return Recorded(
        call_id=row["call_id"],
        at=row["at"],
        server_version=row["server_version"],
        configuration_hash=row["configuration_hash"],
        sample=sample,
        outcome=Outcome(
            sample_id=row["sample_id"],
            result=result,
            reward_version=row["reward_version"],
            cached=row["cached"],
            queue_ms=row["queue_ms"],
            grade_ms=row["grade_ms"],
        ),
    )


def _reference(found: Mapping[str, Any] | None) -> Reference | None:
    for name, value in (found or {}).items():
        if value is not None:
            fields: dict[str, Any] = {
                key: tuple(each) if isinstance(each, list) else each for key, each in value.items()
            }
            return REFERENCES[name](**fields)
    return None
