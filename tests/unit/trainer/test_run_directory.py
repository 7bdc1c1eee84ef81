"""Which run goes on, and what its files hold."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from trainer.config import ConfigurationError, TrainConfig, parse
from trainer.run_files.records import StepRecord
from trainer.run_files.run_directory import RunDirectory, choose

NOW = datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC)


def started(config: TrainConfig, path: Path) -> RunDirectory:
    run = RunDirectory(path)
    run.start(config, {})
    return run


def step(number: int) -> StepRecord:
    zeros = dict.fromkeys(StepRecord.__dataclass_fields__, 0)
    return StepRecord(**{**zeros, "step": number, "reward_by_domain": {}, "failures": {}})


def test_a_first_run_is_named_by_time_configuration_and_seed(tmp_path: Path) -> None:
    assert choose(parse(["--seed", "3"]), tmp_path, now=NOW) == tmp_path / "20300102-030405-tiny-s3"


def test_the_newest_unfinished_run_of_the_same_configuration_goes_on(tmp_path: Path) -> None:
    config = parse([])
    started(config, tmp_path / "20290101-000000-tiny-s0")
    started(config, tmp_path / "20290102-000000-tiny-s0")
    started(parse(["--seed", "1"]), tmp_path / "20290103-000000-tiny-s1")

    assert choose(config, tmp_path, now=NOW).name == "20290102-000000-tiny-s0"
    assert choose(replace(config, fresh=True), tmp_path, now=NOW).name == "20300102-030405-tiny-s0"


def test_a_finished_run_does_not_go_on(tmp_path: Path) -> None:
    run = started(parse([]), tmp_path / "20290101-000000-tiny-s0")
    (run.path / "summary.json").write_text("{}")

    assert choose(parse([]), tmp_path, now=NOW).name == "20300102-030405-tiny-s0"


def test_a_directory_with_another_configuration_is_refused(tmp_path: Path) -> None:
    started(parse(["--steps", "9"]), tmp_path / "mine")

    with pytest.raises(ConfigurationError, match="another configuration"):
        choose(parse(["--run-dir", str(tmp_path / "mine")]), tmp_path, now=NOW)


def test_a_fresh_start_does_not_write_over_a_run(tmp_path: Path) -> None:
    started(parse([]), tmp_path / "mine")

    with pytest.raises(ConfigurationError, match="holds a run already"):
        choose(parse(["--run-dir", str(tmp_path / "mine"), "--fresh"]), tmp_path, now=NOW)


def test_latest_points_to_the_run_that_was_started_last(tmp_path: Path) -> None:
    for name in ("runs/a", "elsewhere/b"):
        RunDirectory(tmp_path / name, latest=tmp_path / "runs" / "latest").start(parse([]), {})

    assert (tmp_path / "runs" / "latest").resolve() == (tmp_path / "elsewhere" / "b").resolve()


def test_steps_behind_the_checkpoint_are_forgotten_on_resume(tmp_path: Path) -> None:
    run = RunDirectory(tmp_path)
    for number in (1, 2, 3):
        run.append_step(step(number))

    kept = run.keep_steps(2)

    assert [record.step for record in kept] == [1, 2]
    assert run.read_steps() == kept
