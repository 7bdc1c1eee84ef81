"""The last word on a run claims what its numbers show, and no more."""

import dataclasses
import io
from pathlib import Path

import pytest
from rich.console import Console

from tests.unit.trainer_views.synthetic_runs import domain_result, summary
from trainer.reporting.report import lines, print_summary, verdict, write_summary
from trainer.run_files.records import Summary, summary_from_json


def printed(found: Summary, *, width: int = 80) -> str:
    out = io.StringIO()
    print_summary(found, console=Console(file=out, width=width))
    return out.getvalue()


def test_the_table_has_a_row_for_each_domain_and_the_total_last_within_80_columns() -> None:
    text = printed(summary(domains=("math", "code")))

    rows = [line.split() for line in text.splitlines() if "→" in line]
    assert [row[0] for row in rows[1:]] == ["math", "code", "all"]
    assert " ".join(rows[1][1:]) == "64 0.300 → 0.450 40 → 55 20 → 20 20 → 20 2"
    assert max(map(len, text.splitlines())) <= 80


@pytest.mark.parametrize(
    ("gain", "greedy_gain", "p_value", "says", "never_says"),
    [
        (0.01, 0.0, 0.4, "no learning is shown", "rose"),
        (-0.1, 0.0, 0.01, "no learning is shown", "rose"),
        (0.15, 0.02, 0.003, "(sharpening)", "rose too"),
        (0.15, 0.3, 0.003, "greedy accuracy rose too", "sharpening"),
        (0.15, -0.15, 0.003, "greedy accuracy fell", "sharpening"),
        (0.15, 0.0, 0.003, "the gain is in the format alone", "no learning"),
    ],
)
def test_the_verdict_follows_the_numbers(
    gain: float, greedy_gain: float, p_value: float, says: str, never_says: str
) -> None:
    said = " ".join(verdict(summary(gain=gain, greedy_gain=greedy_gain, p_value=p_value)))

    assert says in said
    assert never_says not in said


def test_accuracy_that_rose_only_with_the_format_is_no_better_answering() -> None:
    """0.2 right of 0.4 well-formed, then 0.4 of 0.8: half of the well-formed are right both times."""
    before = dataclasses.replace(domain_result(0.3, 0.2), format_rate=0.4)
    after = dataclasses.replace(domain_result(0.5, 0.4), format_rate=0.8)

    said = verdict(dataclasses.replace(summary(), before={"all": before}, after={"all": after}))

    assert "accuracy among them from 0.500 to 0.500: the gain is in the format alone" in said[1]


def test_accuracy_among_well_formed_replies_is_not_said_where_there_were_none() -> None:
    before = dataclasses.replace(domain_result(0.0, 0.0), format_rate=0.0)

    said = verdict(dataclasses.replace(summary(), before={"all": before}))

    assert said[1] == "well-formed completions went from 0.000 to 0.550"


def test_a_run_in_which_nothing_was_graded_shows_nothing() -> None:
    found = summary(domains=())

    assert verdict(found) == [
        "nothing was graded before or after training: this run shows nothing about learning"
    ]
    assert "nothing about learning" in printed(found, width=200)


def test_failures_skips_waits_and_provenance_are_said() -> None:
    said = "\n".join(lines(summary()))

    for text in (
        "train 4:00",
        "3,840 graded, training waited 4.8 s for them (2.0 %)",
        "ungraded: DEADLINE 13",
        "skipped: ideation: no data",
        "prompt template 8c1d02aa, graded by math 1.0.0+3f2a9c1b",
    ):
        assert text in said


def test_a_clean_resumed_run_says_so() -> None:
    said = "\n".join(lines(dataclasses.replace(summary(), failures={}, skipped={}, resumed_from_step=40)))

    assert "ungraded: none" in said
    assert "skipped" not in said
    assert "resumed after step 40" in said


def test_a_domain_graded_on_one_side_only_is_left_out_of_the_table() -> None:
    found = dataclasses.replace(summary(domains=("math",)), before={"all": domain_result(0.3, 0.2)})

    assert "math  " not in printed(found)


def test_the_summary_file_is_read_back_as_written(tmp_path: Path) -> None:
    path = write_summary(tmp_path, summary())

    assert path == tmp_path / "summary.json"
    assert summary_from_json(path.read_text()) == summary()
