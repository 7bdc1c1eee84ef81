"""Reading a directory: layouts, absences, and files that are not rows."""

import json
from pathlib import Path

import pyarrow
import pytest
from pyarrow import parquet

from tasks.api import Split
from tasks.datasets import DATASETS, DEFAULT_DATASETS
from tasks.errors import DataUnavailableError, RowsError
from tasks.sources import Directory, embedded, load

ROW = {"question": "1 + 1?", "answer": "1 + 1 = 2\n#### 2"}


def _write(directory: Path, name: str, split: str, text: str) -> None:
    (directory / name).mkdir(exist_ok=True)
    (directory / name / f"{split}.jsonl").write_text(text, encoding="utf-8")


def test_parquet_and_json_lines_give_the_same_examples(tmp_path: Path) -> None:
    rows = load(embedded(), splits=[Split.TEST], datasets=["arc_easy"]).examples
    source = Path(__file__).parents[3] / "tasks" / "samples" / "arc_easy" / "test.jsonl"
    lines = [json.loads(line) for line in source.read_text(encoding="utf-8").splitlines()]
    (tmp_path / "arc_easy").mkdir()
    parquet.write_table(pyarrow.Table.from_pylist(lines), tmp_path / "arc_easy" / "test.parquet")

    assert load(Directory(tmp_path), splits=[Split.TEST], datasets=["arc_easy"]).examples == rows


def test_splits_that_are_absent_are_named_and_the_rest_is_used(tmp_path: Path) -> None:
    _write(tmp_path, "gsm8k", "train", json.dumps(ROW) + "\n")

    loaded = load(Directory(tmp_path), splits=[Split.TRAIN, Split.TEST], datasets=["gsm8k", "sciq"])

    assert [e.example_id for e in loaded.examples] == ["gsm8k/train/1"]
    assert set(loaded.skipped) == {"gsm8k/test", "sciq"}
    assert "test.jsonl" in loaded.skipped["gsm8k/test"]
    assert "train.jsonl" in loaded.skipped["sciq"]


def test_a_directory_with_nothing_of_what_was_asked_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataUnavailableError, match=r"none of the datasets is there: gsm8k: no train\.jsonl"):
        load(Directory(tmp_path), splits=[Split.TRAIN], datasets=["gsm8k"])


def test_a_directory_that_does_not_exist_is_an_error_that_says_what_belongs_there(tmp_path: Path) -> None:
    with pytest.raises(DataUnavailableError, match=r"<dataset>/<split>\.jsonl"):
        load(Directory(tmp_path / "absent"), splits=[Split.TRAIN])


def test_an_unknown_dataset_is_an_error_that_lists_the_known_ones() -> None:
    with pytest.raises(DataUnavailableError, match=r"\['gsm9k'\].*'gsm8k'"):
        load(embedded(), splits=[Split.TRAIN], datasets=["gsm9k"])


@pytest.mark.parametrize(("line", "problem"), [("{", "is not JSON"), ("[1]", "expected an object")])
def test_a_line_that_is_no_row_is_named(tmp_path: Path, line: str, problem: str) -> None:
    _write(tmp_path, "gsm8k", "train", f"{json.dumps(ROW)}\n{line}\n")

    with pytest.raises(RowsError, match=f"row 2.*{problem}"):
        load(Directory(tmp_path), splits=[Split.TRAIN], datasets=["gsm8k"])


def test_the_sanitised_mbpp_is_not_loaded_beside_the_full_one_unless_asked() -> None:
    assert set(DATASETS) - set(DEFAULT_DATASETS) == {"mbpp_sanitized"}


def test_an_example_knows_its_split() -> None:
    examples = load(embedded(), splits=[Split.TEST]).examples

    assert {e.split for e in examples} == {Split.TEST}
    assert all(e.example_id.startswith(f"{e.dataset}/test/") for e in examples)
