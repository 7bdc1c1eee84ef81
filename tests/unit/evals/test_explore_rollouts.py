"""What the explorer finds in a run: groups, curves, steps that were done again, suspected exploits."""

import dataclasses
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from evals.errors import ResultsError
from evals.explore.curves import curves, difference
from evals.explore.rollouts import GroupFilter, Rollouts
from evals.explore.signals import Signal, Status, signals
from evals.held_out import of_domain, read_held_out
from tests.recorded_runs import evaluation, rollout, write_run, write_step
from trainer.run_files.records import RolloutRecord

Change = Callable[[int, RolloutRecord], dict[str, Any]]
HOSTILE = "'; DROP TABLE rollouts; --"


def opened(run: Path) -> Rollouts:
    rollouts = Rollouts(run)
    rollouts.refresh()
    return rollouts


def steps_of(rollouts: Rollouts) -> list[int]:
    return [row["step"] for row in rollouts.rows("SELECT DISTINCT step FROM rollouts ORDER BY step")]


def flat_in_code(step: int, domain: str, group: int, index: int) -> float:
    return 1.0 if domain == "code" else float(index % 2)


def found(run: Path, wanted: GroupFilter) -> list[tuple[int, str]]:
    total, rows = opened(run).groups(wanted, offset=0, limit=100)
    assert total == len(rows)
    return [(row["step"], row["group_id"]) for row in rows]


def test_groups_carry_scores_and_advantages_in_order_newest_step_first(tmp_path: Path) -> None:
    total, rows = opened(write_run(tmp_path, steps=3, score=flat_in_code)).groups(
        GroupFilter(), offset=0, limit=3
    )

    assert total == 12
    assert [row["step"] for row in rows] == [3, 3, 3]
    math_group = next(row for row in rows if row["domain"] == "math")
    assert math_group["all_scores"] == [0.0, 1.0, 0.0, 1.0]
    assert math_group["advantages"] == [-0.5, 0.5, -0.5, 0.5]
    assert math_group["flat"] is False


def test_filters_add_up(tmp_path: Path) -> None:
    write_run(tmp_path, steps=2, score=flat_in_code)

    assert found(tmp_path, GroupFilter(step=2, domain="math")) == [(2, "math-0"), (2, "math-1")]
    assert found(tmp_path, GroupFilter(flat=True, step=1)) == [(1, "code-0"), (1, "code-1")]
    assert found(tmp_path, GroupFilter(verdict="INCORRECT", step=1, query="QUESTION 1")) == [(1, "math-1")]
    assert found(tmp_path, GroupFilter(query=HOSTILE)) == []
    assert len(found(tmp_path, GroupFilter(domain=HOSTILE))) == 0
    assert len(found(tmp_path, GroupFilter())) == 8


def test_groups_with_failures_are_found_and_teach_nothing_below_two_scores(tmp_path: Path) -> None:
    failed = [
        rollout(1, "code", 0, index, math.nan, components={}, verdict="", failure="SANDBOX", advantage=0.0)
        for index in range(3)
    ]
    write_step(tmp_path, 1, [*failed, rollout(1, "code", 0, 3, 1.0), rollout(1, "math", 0, 0, 1.0)])

    total, (group,) = opened(tmp_path).groups(GroupFilter(failed=True), offset=0, limit=10)

    assert (total, group["failures"], group["scores"], group["flat"]) == (1, ["SANDBOX"], 1, True)
    assert group["verdicts"] == ["UNGRADED", "UNGRADED", "UNGRADED", "CORRECT"]


def test_new_steps_appear_and_steps_done_again_replace_the_old(tmp_path: Path) -> None:
    rollouts = opened(write_run(tmp_path, steps=2, score=flat_in_code))
    before = rollouts.version
    assert rollouts.refresh() == before

    write_step(tmp_path, 2, [rollout(2, "math", 0, 0, 1.0)])
    write_step(tmp_path, 3, [rollout(3, "math", 0, 0, 1.0)])

    assert rollouts.refresh() == before + 1
    counts = rollouts.rows("SELECT step, count(*) AS n FROM rollouts GROUP BY step ORDER BY step")
    assert [(row["step"], row["n"]) for row in counts] == [(1, 16), (2, 1), (3, 1)]


def test_a_file_that_is_half_written_is_named_and_shown_when_it_is_whole(tmp_path: Path) -> None:
    rollouts = opened(write_run(tmp_path, steps=2, score=flat_in_code))
    write_step(tmp_path, 3, [rollout(3, "math", 0, 0, 1.0)])
    path = tmp_path / "rollouts" / "step-000003.parquet"
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    write_step(tmp_path, 4, [rollout(4, "math", 0, 0, 1.0)])

    rollouts.refresh()
    assert rollouts.unreadable == ("step-000003.parquet",)
    assert steps_of(rollouts) == [1, 2, 4]

    path.write_bytes(whole)
    rollouts.refresh()
    assert rollouts.unreadable == ()
    assert steps_of(rollouts) == [1, 2, 3, 4]


def test_a_step_whose_file_is_spoilt_or_gone_is_not_shown_any_more(tmp_path: Path) -> None:
    rollouts = opened(write_run(tmp_path, steps=3, score=flat_in_code))
    (tmp_path / "rollouts" / "step-000002.parquet").write_bytes(b"PAR1")
    (tmp_path / "rollouts" / "step-000003.parquet").unlink()

    rollouts.refresh()

    assert steps_of(rollouts) == [1]


def test_a_file_of_other_columns_hides_no_other_file(tmp_path: Path) -> None:
    write_run(tmp_path, steps=1, score=flat_in_code)
    pq.write_table(pa.table({"step": [2], "unknown": ["x"]}), tmp_path / "rollouts" / "step-000002.parquet")

    rollouts = opened(tmp_path)

    assert (steps_of(rollouts), rollouts.unreadable) == ([1], ("step-000002.parquet",))


def test_a_run_without_completions_yet_is_empty_and_a_missing_one_is_named(tmp_path: Path) -> None:
    rollouts = opened(tmp_path)

    assert rollouts.groups(GroupFilter(), offset=0, limit=10) == (0, [])
    assert curves(rollouts) == {"steps": [], "verdicts": [], "flat": []}
    assert signals(rollouts, []) == []
    with pytest.raises(ResultsError, match="no run at"):
        Rollouts(tmp_path / "absent")


def test_curves_are_by_domain_and_over_all(tmp_path: Path) -> None:
    drawn = curves(opened(write_run(tmp_path, steps=1, score=flat_in_code)))

    assert {row["domain"]: row["reward"] for row in drawn["steps"]} == {"code": 1.0, "math": 0.5, None: 0.75}
    assert {row["verdict"]: row["n"] for row in drawn["verdicts"]} == {"CORRECT": 12, "INCORRECT": 4}
    assert drawn["flat"] == [{"step": 1, "flat": 0.5}]


def test_two_steps_are_set_side_by_side_with_the_prompts_of_both(tmp_path: Path) -> None:
    run = write_run(tmp_path, steps=2, score=lambda step, domain, group, index: float(step == 2))

    compared = difference(opened(run), 1, 2)

    assert [row["reward"] for row in compared["a"]] == [0.0, 0.0, 0.0]
    assert [row["reward"] for row in compared["b"]] == [1.0, 1.0, 1.0]
    assert {row["example_id"] for row in compared["shared"]} == {
        f"{d}/train/{g}" for d in ("math", "code") for g in (0, 1)
    }
    assert all((row["reward_a"], row["reward_b"]) == (0.0, 1.0) for row in compared["shared"])


def test_evaluations_are_placed_at_their_steps_and_half_written_ones_are_passed_over(tmp_path: Path) -> None:
    for name, reward in (("before", 0.1), ("step-000020", 0.2), ("after", 0.3)):
        evaluation(tmp_path, name, reward)
    (tmp_path / "evals" / "step-000040.json").write_text('{"results":')
    (tmp_path / "evals" / "notes.json").write_text("{}")

    (tmp_path / "evals" / "step-000050.json").write_text('{"results": {"math": {"reward": null}}}')

    points = of_domain(read_held_out(tmp_path, last_step=60), "math")

    assert [(point.step, point.reward) for point in points] == [(0, 0.1), (20, 0.2), (60, 0.3)]


def rising(step: int, domain: str, group: int, index: int) -> float:
    return float(index < step / 4)


def changed(run: Path, change: Change) -> Path:
    """A rising run of 16 steps in one domain, each completion passed through `change`."""
    for step in range(1, 17):
        rows = [rollout(step, "code", 0, index, rising(step, "code", 0, index)) for index in range(4)]
        write_step(run, step, [dataclasses.replace(row, **change(step, row)) for row in rows])
    return run


def suspects(run: Path) -> list[str]:
    return [
        s.name for s in signals(opened(run), read_held_out(run, last_step=16)) if s.status is Status.SUSPECT
    ]


def named(run: Path, name: str) -> Signal:
    return next(s for s in signals(opened(run), read_held_out(run, last_step=16)) if s.name == name)


def honest(step: int, row: RolloutRecord) -> dict[str, Any]:
    return {}


def test_an_honest_rise_raises_no_suspicion(tmp_path: Path) -> None:
    assert suspects(changed(tmp_path, honest)) == []
    assert named(tmp_path, "reward rises, held-out does not").status is Status.UNKNOWN


@pytest.mark.parametrize(
    ("name", "change"),
    [
        (
            "visible tests pass, hidden ones do not",
            lambda step, row: {
                "components": {"format": 1.0, "correctness": 0.5, "visible": 1.0, "hidden": 0.2}
            },
        ),
        ("completions shrink while reward rises", lambda step, row: {"completion": f"{step}" * (60 // step)}),
        (
            "the same text again and again",
            lambda step, row: {"completion": "x" * 70 if step > 8 else f"{row.completion} and more"},
        ),
        ("caught cheating", lambda step, row: {"verdict": "REJECTED"} if step > 14 else {}),
    ],
    ids=["tests", "shrinking", "alike", "rejected"],
)
def test_each_pattern_is_suspected_where_it_is_and_nowhere_else(
    tmp_path: Path, name: str, change: Change
) -> None:
    assert suspects(changed(tmp_path, change)) == [name]


@pytest.mark.parametrize(("after", "expected"), [(0.11, Status.SUSPECT), (0.6, Status.QUIET)])
def test_a_rise_is_held_against_prompts_that_are_not_trained_on(
    tmp_path: Path, after: float, expected: Status
) -> None:
    run = changed(tmp_path, lambda step, row: {"domain": "math"})
    evaluation(run, "before", 0.1)
    evaluation(run, "after", after)

    signal = named(run, "reward rises, held-out does not")

    assert signal.status is expected
    assert "by step 16" in signal.found


def test_a_run_too_short_for_quarters_is_not_judged(tmp_path: Path) -> None:
    assert signals(opened(write_run(tmp_path, steps=7, score=flat_in_code)), []) == []
