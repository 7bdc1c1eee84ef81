"""The hub source, through the real `datasets` library: local folders in the hub's layout, and no network."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tasks.api import Split
from tasks.datasets import DATASETS, Dataset, read_rows
from tasks.errors import DataUnavailableError, SplitAbsentError
from tasks.hub import Hub
from tasks.sources import Directory

SAMPLES = Path(__file__).parents[3] / "tasks" / "samples"


@pytest.fixture(autouse=True)
def _offline(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Keep the library off the network and out of the user's cache."""
    import datasets
    import huggingface_hub

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path)
    datasets.disable_progress_bars()


def _local(name: str, *, hub_rows: int | None = None) -> Dataset:
    return replace(DATASETS[name], hub_path=str(SAMPLES / name), hub_config=None, hub_rows=hub_rows)


@pytest.mark.parametrize("name", ["gsm8k", "arc_easy", "mbpp"])
def test_rows_from_the_library_are_the_rows_of_the_files(name: str) -> None:
    dataset = _local(name)

    assert Hub().read(dataset, Split.TEST) == Directory(SAMPLES).read(dataset, Split.TEST)


def test_a_split_that_the_hub_does_not_have_is_absent_not_an_error() -> None:
    with pytest.raises(SplitAbsentError, match="has train, test only"):
        Hub().read(_local("gsm8k"), Split.VALIDATION)


def test_a_large_split_is_cut_to_the_same_rows_for_the_same_seed() -> None:
    dataset = _local("gsm8k", hub_rows=5)

    first, again, other = (Hub(seed=seed).read(dataset, Split.TRAIN) for seed in (1, 1, 2))

    assert len(first) == 5
    assert first == again != other


def test_a_split_smaller_than_the_cut_is_taken_whole() -> None:
    assert len(Hub().read(_local("gsm8k", hub_rows=20_000), Split.TEST)) == 32


@pytest.fixture
def online(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let large splits be streamed, from local folders in the hub's layout."""
    import huggingface_hub

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(huggingface_hub.HfApi, "dataset_info", lambda *_a, **_k: None)


def _as_parquet(name: str, directory: Path) -> Dataset:
    """Write the rows of a sample dataset as the hub stores them, in several files a split."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = list(Directory(SAMPLES).read(DATASETS[name], Split.TRAIN))
    for number in range(3):
        part = pa.Table.from_pylist([dict(row) for row in rows[number::3]])
        pq.write_table(part, directory / f"train-{number:05}-of-00003.parquet")
    return replace(DATASETS[name], hub_path=str(directory))


@pytest.mark.usefixtures("online")
@pytest.mark.parametrize("name", ["writingprompts", "xsum"])
@pytest.mark.parametrize("form", ["jsonl", "parquet"])
def test_a_streamed_split_gives_rows_of_the_split_that_the_adapter_reads(
    name: str, form: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    dataset = _local(name) if form == "jsonl" else _as_parquet(name, tmp_path_factory.mktemp("hub"))
    dataset = replace(dataset, hub_rows=40)

    taken = Hub(seed=1).read(dataset, Split.TRAIN)
    examples, left_out = read_rows(dataset, Split.TRAIN, taken)

    whole = [dict(row) for row in Directory(SAMPLES).read(DATASETS[name], Split.TRAIN)]
    assert len(taken) == len(examples) == 40
    assert all(dict(row) in whole for row in taken)
    assert left_out == {}


@pytest.mark.usefixtures("online")
def test_a_stream_is_cut_to_the_same_rows_for_the_same_seed_and_takes_none_twice() -> None:
    dataset = _local("xsum", hub_rows=40)

    first, again, other = (Hub(seed=seed).read(dataset, Split.TRAIN) for seed in (1, 1, 2))

    assert first == again != other
    assert len({row["id"] for row in first}) == 40  # type: ignore[union-attr]


@pytest.mark.usefixtures("online")
def test_a_stream_shorter_than_the_cut_is_taken_whole() -> None:
    dataset = _local("writingprompts", hub_rows=20_000)

    rows = Hub().read(dataset, Split.TEST)

    key = str
    assert sorted(map(key, rows)) == sorted(map(key, Directory(SAMPLES).read(dataset, Split.TEST)))


def test_a_stream_is_read_no_further_than_twice_the_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    import datasets

    read = 0

    def rows() -> Iterator[dict[str, str]]:
        nonlocal read
        for number in range(10_000):
            read += 1
            yield {"text": str(number)}

    stream = datasets.IterableDataset.from_generator(rows)
    monkeypatch.setattr("datasets.load_dataset", lambda *_a, streaming, **_k: stream if streaming else None)
    taken = Hub()._rows(datasets, _local("xsum", hub_rows=100), Split.TRAIN, stream=True)

    assert len(taken) == 100
    assert read <= 2 * 100 + 2
    assert all(int(row["text"]) < 100 + place + 1 for place, row in enumerate(taken))  # type: ignore[call-overload]


def test_an_offline_hub_without_a_cache_says_what_to_put_where() -> None:
    with pytest.raises(DataUnavailableError, match=r"openai/gsm8k.*gsm8k/train\.jsonl.*HF_HUB_OFFLINE=1"):
        Hub().read(DATASETS["gsm8k"], Split.TRAIN)


def test_a_hub_that_does_not_answer_fails_without_retrying(monkeypatch: pytest.MonkeyPatch) -> None:
    import huggingface_hub

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    # A closed port on this machine: refused at once, whatever the network.
    monkeypatch.setattr(huggingface_hub.constants, "ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setattr("datasets.load_dataset", lambda *_a, **_k: pytest.fail("went on without an answer"))

    with pytest.raises(DataUnavailableError, match=r"openai/gsm8k.*refused"):
        Hub().read(DATASETS["gsm8k"], Split.TRAIN)
