"""Completions on disk: whole, readable by others, and with nulls where nothing is known."""

import dataclasses
import math
from pathlib import Path

import pandas
import pytest

from trainer.run_files.records import RolloutRecord
from trainer.run_files.rollouts import SCHEMA, write_rollouts
from trainer.run_files.run_directory import RunDirectory

SCORED = RolloutRecord(
    step=11,
    sample_id="s",
    group_id="g",
    example_id="mbpp/train/1",
    domain="code",
    reward="code",
    prompt="p",
    completion="half \ud800",
    tokens=3,
    truncated=False,
    score=0.6,
    components={"format": 1.0, "correctness": 0.5, "visible": 1.0, "hidden": 0.0, "other": 0.25},
    verdict="PARTIAL",
    failure="",
    explanation="1 of 2",
    reward_version="1.0.0",
    advantage=-0.5,
    in_loss=True,
)
FAILED = dataclasses.replace(
    SCORED, score=math.nan, components={}, verdict="", failure="SANDBOX", advantage=0.0
)


def test_pandas_reads_a_step_with_nulls_where_there_is_no_score(tmp_path: Path) -> None:
    table = pandas.read_parquet(write_rollouts(tmp_path, [SCORED, FAILED]))

    assert list(table.columns) == SCHEMA.names
    assert table["score"].isna().tolist() == [False, True]
    assert table["hidden"][0] == 0.0
    assert table["verdict"].isna().tolist() == [False, True]
    assert table["failure"].tolist()[1] == "SANDBOX"
    assert table["completion"][0] == "half ?"
    assert '"other": 0.25' in table["components"][0]


def test_a_step_done_again_replaces_its_file(tmp_path: Path) -> None:
    write_rollouts(tmp_path, [SCORED, SCORED])
    path = write_rollouts(tmp_path, [SCORED])

    assert [file.name for file in tmp_path.iterdir()] == ["step-000011.parquet"]
    assert len(pandas.read_parquet(path)) == 1


@pytest.mark.parametrize(("every", "kept"), [(1, [1, 2, 3, 4, 5]), (2, [1, 3, 5]), (0, [])])
def test_steps_are_kept_as_often_as_asked_from_the_first_on(
    tmp_path: Path, every: int, kept: list[int]
) -> None:
    run = RunDirectory(tmp_path)
    for step in range(1, 6):
        run.keep_rollouts([dataclasses.replace(SCORED, step=step, completion="x")], every=every)

    files = sorted(tmp_path.glob("rollouts/*.parquet"))
    assert [int(file.stem.removeprefix("step-")) for file in files] == kept
    assert len((tmp_path / "completions.jsonl").read_text().splitlines()) == 1
