"""The live view says what happens, in place on a terminal, in few lines elsewhere, and never stops a run."""

import dataclasses
import io
import math
import os

import pytest
from rich.console import Console

from tests.unit.trainer_views.synthetic_runs import step_records
from trainer.reporting.progress import Progress, QuietConsole
from trainer.reporting.view import Phase, duration, sparkline


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def plain(clock: Clock) -> tuple[Progress, io.StringIO]:
    out = io.StringIO()
    return Progress(console=Console(file=out, width=200, force_terminal=False), clock=clock), out


def terminal(clock: Clock, *, width: int = 100, height: int = 30) -> tuple[Progress, io.StringIO]:
    out = io.StringIO()
    console = Console(file=out, width=width, height=height, force_terminal=True, _environ={"TERM": "xterm"})
    return Progress(console=console, clock=clock), out


def test_without_a_terminal_a_fast_run_writes_a_handful_of_lines() -> None:
    clock = Clock()
    progress, out = plain(clock)
    with progress:
        progress.phase("training", total=500)
        for record in step_records(500):
            clock.now += 0.02
            progress.step(record)

    lines = out.getvalue().splitlines()
    assert lines[0] == "training: 500 to do"
    assert lines[-1] == "training took 10.0 s"
    assert "500/500" in lines[-2]
    assert len(lines) <= 6
    assert "\x1b" not in out.getvalue()


def test_without_a_terminal_a_slow_run_writes_each_step_with_its_figures() -> None:
    clock = Clock()
    progress, out = plain(clock)
    with progress:
        progress.phase("training", total=9)
        for record in step_records(9):
            clock.now += 30
            progress.step(record)

    lines = out.getvalue().splitlines()
    assert len(lines) == 11
    for shown in (
        "9/9",
        "reward 0.",
        "math 0.",
        "format ",
        "KL 0.0",
        "tokens/s",
        "waiting for rewards 2.0 %",
    ):
        assert shown in lines[-2]
    assert "ungraded 1 (DEADLINE 1)" in lines[-2]


def test_time_left_in_training_goes_by_recent_steps_also_after_a_resume() -> None:
    clock = Clock()
    progress, out = plain(clock)
    resumed = dataclasses.replace(step_records(1)[0], step=91, steps=100, step_s=10.0)
    with progress:
        progress.phase("training", total=100)
        progress.step(resumed)

    assert "91/100" in out.getvalue()
    assert "1:30 left" in out.getvalue()


def test_counted_phases_show_what_they_say_of_themselves() -> None:
    clock = Clock()
    progress, out = plain(clock)
    with progress:
        progress.phase("before", total=64)
        clock.now += 6
        progress.advance(16, completions=64, tokens_per_second=812.25)

    assert "16/64  6.0 s elapsed  18.0 s left  completions 64  tokens per second 812.250" in out.getvalue()


def test_on_a_terminal_the_display_shows_every_domain_and_notes_stay_above() -> None:
    progress, out = terminal(Clock())
    with progress:
        progress.phase("training", total=40)
        progress.note("code is skipped: [no] Docker Engine answers")
        for record in step_records(40):
            progress.step(record)

    shown = out.getvalue()
    for text in (
        "training",
        "reward",
        "math",
        "code",
        "science",
        "logic",
        "summary",
        "█",
        "waiting for rewards",
    ):
        assert text in shown
    assert "[no] Docker" in shown


@pytest.mark.parametrize("width", [1, 7, 20, 400])
def test_no_width_of_terminal_stops_a_run(width: int) -> None:
    progress, out = terminal(Clock(), width=width, height=2)
    with progress:
        progress.phase("set-up")
        progress.phase("training", total=2)
        for record in step_records(2):
            progress.step(record)
        progress.phase("after", total=0)

    assert out.getvalue()


def test_steps_without_domains_or_finite_numbers_are_shown_too() -> None:
    broken = dataclasses.replace(
        step_records(1, domains=())[0], reward=math.nan, kl=math.inf, step_s=0.0, format_rate=math.nan
    )
    for progress, out in (plain(Clock()), terminal(Clock())):
        with progress:
            progress.phase("training", total=1)
            progress.step(broken)

        assert "KL -" in out.getvalue()


def test_calls_outside_any_phase_and_a_second_finish_are_harmless() -> None:
    progress, out = plain(Clock())
    with progress:
        progress.advance(3)
        progress.step(step_records(1)[0])
        progress.finish()

    assert out.getvalue() == ""


def test_an_exception_passes_through_and_ends_the_display() -> None:
    progress, out = terminal(Clock())

    def run() -> None:
        with progress:
            progress.phase("training", total=1)
            raise KeyError

    with pytest.raises(KeyError):
        run()

    assert out.getvalue().endswith("\x1b[?25h")  # the cursor is visible again


def test_a_run_that_breaks_leaves_its_last_step_in_the_log() -> None:
    progress, out = plain(Clock())

    def run() -> None:
        with progress:
            progress.phase("train", total=9)
            for record in step_records(9)[:5]:
                progress.step(record)
            raise KeyError

    with pytest.raises(KeyError):
        run()

    lines = out.getvalue().splitlines()
    assert "5/9" in lines[-1]
    assert not any("took" in line for line in lines)


def test_a_reader_that_left_silences_the_view_and_not_the_run() -> None:
    read_end, write_end = os.pipe()
    os.close(read_end)
    with open(write_end, "w", buffering=1) as gone:  # noqa: PTH123 - a file descriptor has no path
        progress = Progress(console=QuietConsole(file=gone))
        with progress:
            progress.phase("training", total=2)
            for record in step_records(2):
                progress.step(record)

        assert progress._console.quiet


def test_sparklines_rise_with_their_values_and_leave_nan_out() -> None:
    assert sparkline([0.0, 0.5, 1.0]) == "▁▅█"
    assert sparkline([0.0, math.nan, 1.0]) == "▁█"
    assert sparkline([0.50, 0.51, 0.50]) == "▁▂▁"
    assert len(sparkline([0.1] * 1000)) == 24
    assert sparkline([math.nan]) == sparkline([]) == ""


def test_durations_read_as_people_write_them() -> None:
    assert [duration(seconds) for seconds in (0.04, 59.9, 60, 245, 3723)] == [
        "0.0 s",
        "59.9 s",
        "1:00",
        "4:05",
        "1:02:03",
    ]


def test_time_left_is_unknown_before_the_first_is_done() -> None:
    assert Phase(name="before", started_s=0, total=10).remaining_s(5.0) is None
    assert Phase(name="set-up", started_s=0).remaining_s(5.0) is None
