"""An evaluation asks the held-out rows of the data that its run was trained on."""

from pathlib import Path

import pytest

from evals.errors import CheckpointError
from evals.questions.rows import source_of
from tasks.hub import Hub
from tasks.sources import Directory, Source, embedded
from trainer.config import parse, to_yaml


def run(tmp_path: Path, text: str) -> Path:
    (tmp_path / "config.yaml").write_text(text)
    return tmp_path


def test_a_run_on_the_hub_is_evaluated_on_the_hub(tmp_path: Path) -> None:
    assert source_of(run(tmp_path, "data_dir: null\ndata: {source: hub}"), None) == Hub()


def test_a_run_on_a_directory_is_evaluated_on_it(tmp_path: Path) -> None:
    text = f"data_dir: {tmp_path}\ndata: {{source: embedded}}"

    assert source_of(run(tmp_path, text), None) == Directory(tmp_path)


def test_a_run_on_the_samples_is_evaluated_on_them(tmp_path: Path) -> None:
    assert source_of(run(tmp_path, "data_dir: null\ndata: {source: embedded}"), None) == embedded()


@pytest.mark.parametrize(("arguments", "expected"), [([], embedded()), (["--data.source", "hub"], Hub())])
def test_what_the_trainer_writes_down_is_understood(
    tmp_path: Path, arguments: list[str], expected: Source
) -> None:
    config = parse(["--config", "tiny", *arguments])

    assert source_of(run(tmp_path, to_yaml(config)), None) == expected


def test_a_directory_that_is_named_wins(tmp_path: Path) -> None:
    assert source_of(run(tmp_path, "data_dir: null\ndata: {source: hub}"), tmp_path) == Directory(tmp_path)


@pytest.mark.parametrize(
    "text", ["data: [", "[]", "data: {}", "", "data_dir: /gone/away\ndata: {source: hub}"]
)
def test_what_cannot_be_found_out_is_an_error_that_names_the_flag(tmp_path: Path, text: str) -> None:
    with pytest.raises(CheckpointError, match="pass --data-dir"):
        source_of(run(tmp_path, text), None)


def test_completions_without_a_run_are_of_the_samples() -> None:
    assert source_of(None, None) == embedded()
