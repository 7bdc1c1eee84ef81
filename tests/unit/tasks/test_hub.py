"""The hub source, through the real `datasets` library: local folders in the hub's layout, and no network."""

from dataclasses import replace
from pathlib import Path

import pytest

from tasks.api import Split
from tasks.datasets import DATASETS, Dataset
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
