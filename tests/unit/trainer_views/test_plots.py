"""Pictures come from the files of a run, whatever it has recorded so far."""

import dataclasses
import math
from pathlib import Path

import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.text import Text

from tests.unit.trainer_views.synthetic_runs import step_records, summary
from trainer.reporting.plots import before_after_figure, training_figure, write
from trainer.reporting.report import write_summary
from trainer.run_files.records import METRICS_FILE, RecordError, StepRecord, Summary, read_steps, to_json

PNG = b"\x89PNG"


def run_with(directory: Path, records: list[StepRecord], ending: Summary | None = None) -> Path:
    (directory / METRICS_FILE).write_text("".join(to_json(record) + "\n" for record in records))
    if ending is not None:
        write_summary(directory, ending)
    return directory


def test_a_finished_run_has_both_pictures(tmp_path: Path) -> None:
    found = write(run_with(tmp_path, step_records(25), summary()))

    assert [path.relative_to(tmp_path).as_posix() for path in found] == [
        "plots/training.png",
        "plots/before_after.png",
    ]
    assert all(path.read_bytes().startswith(PNG) and path.stat().st_size > 20_000 for path in found)


def test_a_run_that_has_recorded_nothing_has_no_picture(tmp_path: Path) -> None:
    assert write(tmp_path) == []
    assert write(run_with(tmp_path, [], summary(domains=()))) == []


@pytest.mark.parametrize(
    "records",
    [
        step_records(1),
        step_records(3, domains=()),
        [dataclasses.replace(record, kl=math.nan, reward=math.inf, step_s=0.0) for record in step_records(2)],
    ],
    ids=["one step", "no domain", "not finite"],
)
def test_sparse_runs_are_drawn_too(tmp_path: Path, records: list[StepRecord]) -> None:
    assert [path.name for path in write(run_with(tmp_path, records))] == ["training.png"]


def test_a_domain_that_appears_late_is_drawn_from_its_first_step() -> None:
    early, late = step_records(2, domains=("math",)), step_records(4, domains=("math", "logic"), seed=1)[2:]

    figure = training_figure([*early, *late])

    labels = {text.get_text() for text in figure.axes[1].get_legend().get_texts()}
    assert labels == {"math", "logic"}


def test_a_slow_first_step_is_told_and_does_not_flatten_the_others() -> None:
    records = step_records(10)
    records[0] = dataclasses.replace(records[0], step_s=300.0)

    figure = training_figure(records)

    axes = figure.axes[5]
    assert [text.get_text() for text in axes.texts] == ["first step 300 s: programs are compiled"]
    assert axes.get_ylim()[1] < 10


def test_no_title_runs_into_its_legend() -> None:
    phases = {"sample": 0.5, "reference": 0.3, "rewards": 0.1, "update": 1.0}
    records = [dataclasses.replace(record, seconds=phases) for record in step_records(10)]
    records[0] = dataclasses.replace(records[0], step_s=300.0)
    figure = training_figure(records)
    FigureCanvasAgg(figure).draw()

    for axes in figure.axes:
        legend = axes.get_legend()
        if legend is not None:
            (title,) = (text for text in axes.findobj(Text) if text.get_text() == axes.get_title(loc="left"))
            assert not title.get_window_extent().overlaps(legend.get_window_extent()), title.get_text()


def test_a_domain_graded_on_one_side_only_has_no_bars() -> None:
    both = summary(domains=("math", "code"))
    lost = dataclasses.replace(both, after={name: both.after[name] for name in ("math", "all")})

    ticks = [label.get_text() for label in before_after_figure(lost).axes[0].get_xticklabels()]

    assert ticks == ["math", "all"]


def test_a_resumed_run_is_read_once_a_step_without_its_torn_last_line(tmp_path: Path) -> None:
    first, again = step_records(6), step_records(9, seed=1)[3:]
    path = run_with(tmp_path, [*first, *again]) / METRICS_FILE
    path.write_text(path.read_text() + to_json(again[-1])[:40])

    found = read_steps(path)

    assert [record.step for record in found] == list(range(1, 10))
    assert found[3] == again[0]


def test_a_damaged_line_in_the_middle_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / METRICS_FILE
    path.write_text('{"step": 1}\n' + to_json(step_records(1)[0]) + "\n")

    with pytest.raises(RecordError, match="missing fields"):
        read_steps(path)
