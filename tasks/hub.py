"""The Hugging Face hub as a source of rows, through `datasets.load_dataset`.

Large splits (WritingPrompts, XSum) are streamed and cut, so that a first run does not
download what it will not use; a stream needs the network, everything else also works
from the local cache under `HF_HUB_OFFLINE=1`.
"""

import importlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tasks.api import Split
from tasks.datasets import Dataset
from tasks.errors import DataUnavailableError, SplitAbsentError
from tasks.sources import Columns


@dataclass(frozen=True, kw_only=True, slots=True)
class Hub:
    """The hub. `seed` decides which rows of a split too large to take whole are taken."""

    seed: int = 0

    def read(self, dataset: Dataset, split: Split) -> Sequence[Columns]:
        """Raise `DataUnavailableError` at the first dataset that cannot be reached."""
        library = importlib.import_module("datasets")
        where = f"{dataset.hub_path} ({dataset.hub_config or 'default'})"
        try:
            available = library.get_dataset_split_names(dataset.hub_path, dataset.hub_config)
            if split.value not in available:
                raise SplitAbsentError(f"{where} has {available} only")
            return self._rows(library, dataset, split)
        except OSError as error:  # also: no connection, offline without a cache, no such dataset
            raise DataUnavailableError(
                f"{where} cannot be had from the hub: {error}; put <dataset>/<split>.jsonl or .parquet "
                f"in a directory and name it (DATA_DIR), or fill the hub's cache where there is a network "
                f"and set HF_HUB_OFFLINE=1"
            ) from error

    def _rows(self, library: Any, dataset: Dataset, split: Split) -> list[Columns]:
        stream = dataset.hub_rows is not None
        table = library.load_dataset(
            dataset.hub_path, dataset.hub_config, split=split.value, streaming=stream
        )
        if stream:
            table = table.shuffle(seed=self.seed, buffer_size=dataset.hub_rows).take(dataset.hub_rows)
        return list(table)
