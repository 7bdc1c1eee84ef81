"""Outcomes to rewards to advantages: a failure is absent, never a zero."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reward_client.api import Failure, Outcome, Score
from trainer.experience.rewards import (
    TooManyFailuresError,
    check_failures,
    clean_completion,
    group_advantages,
    teaches,
    to_batch,
)

CASES = [
    json.loads(line)
    for line in (Path(__file__).parents[2] / "cases" / "group_advantages.jsonl").read_text().splitlines()
]


def masked(rewards: list[float | None]) -> np.ma.MaskedArray:
    return np.ma.masked_array([r or 0.0 for r in rewards], mask=[r is None for r in rewards])


def outcome(value: float | None, number: int = 0) -> Outcome:
    result = (
        Failure(kind="SANDBOX", message="the engine is down")
        if value is None
        else Score(
            value=value, components={"format": 1.0, "correctness": value}, verdict="PARTIAL", explanation=""
        )
    )
    return Outcome(
        sample_id=str(number), result=result, reward_version="1", cached=False, queue_ms=0.0, grade_ms=0.0
    )


@pytest.mark.parametrize("case", CASES, ids=[case["why"] for case in CASES])
def test_advantages_of_a_table_of_groups(case: dict) -> None:
    advantages = group_advantages(
        masked(case["rewards"]), case["group_size"], divide_by_std=case.get("divide_by_std", True)
    )

    np.testing.assert_allclose(advantages, case["advantages"], atol=1e-4)


@pytest.mark.parametrize("divide_by_std", [True, False])
@given(
    scores=st.lists(st.floats(0, 1), min_size=2, max_size=7),
    places=st.lists(st.integers(0, 7), min_size=1, max_size=3),
)
def test_injected_failures_leave_the_others_the_advantages_of_the_smaller_group(
    scores: list[float], places: list[int], divide_by_std: bool
) -> None:
    clean = group_advantages(masked(list(scores)), len(scores), divide_by_std=divide_by_std)

    with_failures: list[float | None] = list(scores)
    for place in places:
        with_failures.insert(min(place, len(with_failures)), None)
    mixed = group_advantages(masked(with_failures), len(with_failures), divide_by_std=divide_by_std)

    scored = [value is not None for value in with_failures]
    np.testing.assert_array_equal(mixed[scored], clean)
    assert not mixed[np.logical_not(scored)].any()


@pytest.mark.parametrize("divide_by_std", [True, False])
@given(
    rewards=st.lists(st.none() | st.floats(0, 1), min_size=4, max_size=40).filter(lambda r: len(r) % 4 == 0)
)
def test_advantages_are_always_finite(rewards: list[float | None], divide_by_std: bool) -> None:
    assert np.isfinite(group_advantages(masked(rewards), 4, divide_by_std=divide_by_std)).all()


def test_a_failed_completion_is_masked_and_counted_by_kind() -> None:
    outcomes = [outcome(0.5), outcome(None), outcome(0.0), outcome(1.0)]
    check_failures(outcomes, expected=4, max_failed_share=0.25)
    batch = to_batch(outcomes)

    assert batch.rewards.tolist() == [0.5, None, 0.0, 1.0]
    assert batch.failures == {"SANDBOX": 1}
    assert batch.rewards.mean() == pytest.approx(0.5)


def test_a_step_in_which_too_many_failed_is_refused_with_kinds_and_first_message() -> None:
    with pytest.raises(TooManyFailuresError, match=r"2 of 4 .*'SANDBOX': 2.*0\.25.*the engine is down"):
        check_failures([outcome(None), outcome(None), outcome(0.0)], expected=4, max_failed_share=0.25)


def test_a_step_without_any_score_is_refused_whatever_the_share() -> None:
    with pytest.raises(TooManyFailuresError):
        check_failures([outcome(None)], expected=1, max_failed_share=0.999)


@pytest.mark.parametrize(
    ("rewards", "expected"),
    [
        ([1.0, 0.0], True),
        ([0.5, 0.5], False),
        ([None, 1.0], False),
        ([None, 1.0, 0.0], True),
        ([None, None], False),
    ],
)
def test_a_group_teaches_when_two_of_its_scores_differ(rewards: list[float | None], expected: bool) -> None:
    assert teaches(masked(rewards)) is expected


@pytest.mark.parametrize(
    ("components", "passed"),
    [
        ({"format": 1.0, "correctness": 0.25}, 0.25),
        ({"format": 1.0, "quality": 0.49}, 0.0),
        ({"format": 1.0, "quality": 0.5}, 1.0),
    ],
)
def test_a_completion_passes_by_its_correctness_or_by_a_threshold_on_its_quality(
    components: dict[str, float], passed: float
) -> None:
    score = Score(value=0.9, components=components, verdict="QUALITY", explanation="")
    graded = Outcome(
        sample_id="1", result=score, reward_version="1", cached=False, queue_ms=0.0, grade_ms=0.0
    )

    assert to_batch([graded]).passed.tolist() == [passed]


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("<answer>1</answer><end_of_turn>", "<answer>1</answer>"),
        ("<answer>1</answer><end_of_turn><eos>", "<answer>1</answer>"),
        ("<end_of_turn> and more", "<end_of_turn> and more"),
        ("", ""),
    ],
)
def test_only_marks_at_the_end_are_removed(text: str, cleaned: str) -> None:
    assert clean_completion(text, ("<end_of_turn>", "<eos>")) == cleaned
