"""The Hugging Face hub as a source of rows, through `datasets.load_dataset`.

Large splits (WritingPrompts, XSum) are streamed and cut, so that a first run does not
download what it will not use; a stream needs the network. A stream is shuffled through a
buffer of as many rows as are taken: row k of what is taken is one of the first `hub_rows` + k
of the stream, whose files come in a seeded order, and no row comes twice. Under
`HF_HUB_OFFLINE=1` everything comes from the local cache, and the cut is an even sample of
the whole split, other rows than the stream's.
"""

import importlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tasks.api import Split
from tasks.datasets import Dataset
from tasks.errors import DataUnavailableError, SplitAbsentError
from tasks.sources import Columns

# `load_dataset` alone retries for about half a minute before it says that there is no network.
_PROBE_SECONDS = 5.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Hub:
    """The hub. `seed` decides which rows of a split too large to take whole are taken."""

    seed: int = 0

    def read(self, dataset: Dataset, split: Split) -> Sequence[Columns]:
        """Read one split; raise at once when the dataset cannot be had."""
        # By name: heavy, untyped, and only needed for this source.
        library, hub = importlib.import_module("datasets"), importlib.import_module("huggingface_hub")
        offline = bool(hub.constants.HF_HUB_OFFLINE)
        # Everything that the hub, its cache and the network raise; HTTPX errors are no OSError.
        expected = (OSError, importlib.import_module("httpx").HTTPError)
        try:
            if not offline:
                hub.HfApi().dataset_info(dataset.hub_path, timeout=_PROBE_SECONDS)
            available = library.get_dataset_split_names(dataset.hub_path, dataset.hub_config)
            if split.value not in available:
                raise SplitAbsentError(f"{dataset.hub_path} has {', '.join(available)} only")
            return self._rows(library, dataset, split, stream=not offline)
        except expected as error:
            raise DataUnavailableError(
                f"{dataset.hub_path} ({dataset.hub_config or 'default'}) cannot be had from the hub: "
                f"{error}; put {dataset.name}/{split.value}.jsonl or .parquet into a directory and pass it "
                f"as the data directory, or fill the hub's cache where there is a network and set "
                f"HF_HUB_OFFLINE=1"
            ) from error

    def _rows(self, library: Any, dataset: Dataset, split: Split, *, stream: bool) -> list[Columns]:
        stream = stream and dataset.hub_rows is not None
        table = library.load_dataset(
            dataset.hub_path, dataset.hub_config, split=split.value, streaming=stream
        )
        if dataset.hub_rows is None:
            return list(table)
        if stream:
            return list(table.shuffle(seed=self.seed, buffer_size=dataset.hub_rows).take(dataset.hub_rows))
        return list(table.shuffle(seed=self.seed).select(range(min(dataset.hub_rows, table.num_rows))))
