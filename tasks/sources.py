"""Where rows come from: the embedded samples, a directory, or the hub. The only I/O of this package.

A directory holds `<dataset>/<split>.jsonl` or `.parquet` under the hub's column names;
the embedded samples are such a directory. Official splits are kept and never merged.
"""

import importlib
import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, cast

from tasks.api import Example, Split
from tasks.datasets import DATASETS, DEFAULT_DATASETS, Dataset, read_rows
from tasks.errors import DataUnavailableError, RowsError, SplitAbsentError

Columns = Mapping[str, object]


class Source(Protocol):
    """A place that holds splits of datasets."""

    def read(self, dataset: Dataset, split: Split) -> Sequence[Columns]:
        """Read the rows of one split, in their stored order.

        Raises:
            SplitAbsentError: this source does not have the split; others it may have.
            DataUnavailableError: the source cannot be read at all.
            RowsError: a line is not a row.
        """
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Loaded:
    """What a source gave.

    `skipped` maps `<dataset>/<split>`, or `<dataset>` where no split was there, to why;
    `excluded` maps example ids to why the row was left out by name.
    """

    examples: tuple[Example, ...]
    skipped: Mapping[str, str]
    excluded: Mapping[str, str]


def load(source: Source, *, splits: Collection[Split], datasets: Collection[str] | None = None) -> Loaded:
    """Load the splits of the named datasets (None: the default ones) that the source has.

    Raises:
        DataUnavailableError: an unknown name, a source that cannot be read, or nothing found.
        RowsError: a split holds malformed rows.
    """
    examples: list[Example] = []
    skipped: dict[str, str] = {}
    excluded: dict[str, str] = {}
    for dataset in _chosen(DEFAULT_DATASETS if datasets is None else datasets):
        absent: dict[str, str] = {}
        for split in splits:
            try:
                rows = source.read(dataset, split)
            except SplitAbsentError as error:
                absent[f"{dataset.name}/{split.value}"] = str(error)
                continue
            taken, left_out = read_rows(dataset, split, rows)
            examples += taken
            excluded |= left_out
        if len(absent) == len(splits):
            absent = {dataset.name: "; ".join(absent.values())}
        skipped |= absent
    if not examples:
        raise DataUnavailableError(
            "none of the datasets is there: " + "; ".join(f"{k}: {why}" for k, why in skipped.items())
        )
    return Loaded(examples=tuple(examples), skipped=skipped, excluded=excluded)


def _chosen(names: Iterable[str]) -> list[Dataset]:
    unknown = [name for name in names if name not in DATASETS]
    if unknown:
        raise DataUnavailableError(f"unknown datasets {unknown}; known are {list(DATASETS)}")
    return [DATASETS[name] for name in names]


@dataclass(frozen=True, slots=True)
class Directory:
    """Files on this machine."""

    path: Path

    def read(self, dataset: Dataset, split: Split) -> Sequence[Columns]:
        if not self.path.is_dir():
            raise DataUnavailableError(
                f"no directory {str(self.path)!r}: it should hold <dataset>/<split>.jsonl or .parquet"
            )
        stem = self.path / dataset.name / split.value
        lines, table = stem.with_suffix(".jsonl"), stem.with_suffix(".parquet")
        if lines.is_file():
            return read_jsonl(f"{dataset.name}/{split.value}", lines)
        if table.is_file():
            return _read_parquet(table)
        raise SplitAbsentError(f"no {lines.name} or {table.name} in {str(stem.parent)!r}")


def embedded() -> Directory:
    """Give the samples that ship with this package."""
    return Directory(Path(__file__).parent / "samples")


def read_jsonl(name: str, path: Path) -> list[Columns]:
    """Read one object a line; `name` is for messages.

    Raises:
        RowsError: a line is not a row.
    """
    rows: list[Columns] = []
    with path.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, start=1):
            try:
                row: object = json.loads(line)
            except json.JSONDecodeError as error:
                raise _not_a_row(name, number, f"is not JSON: {error}") from error
            if not isinstance(row, dict):
                raise _not_a_row(name, number, f"expected an object, got {line!r:.80}")
            # JSON objects have string keys.
            rows.append(cast("Columns", row))
    return rows


def _not_a_row(name: str, number: int, problem: str) -> RowsError:
    return RowsError(dataset=name, row=number, column="", problem=problem, malformed=1, rows=number)


def _read_parquet(path: Path) -> list[Columns]:
    # By name: pyarrow is heavy, untyped, and only needed for this format.
    parquet: Any = importlib.import_module("pyarrow.parquet")
    return list(parquet.read_table(path).to_pylist())
