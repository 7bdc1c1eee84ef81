"""Two evaluations are compared prompt by prompt, over what both could grade."""

import pytest

from evals.comparing.compare import Method, Metric, compare, flips
from evals.grade import Graded
from reward_client.api import Failure
from tasks.api import Domain
from tests.unit.evals.graded_examples import graded, score

LOST = Failure(kind="DEADLINE", message="")


def test_each_prompt_counts_once_as_better_worse_or_the_same() -> None:
    before = [graded(name, score(value)) for name, value in zip("abcd", (0.0, 0.0, 1.0, 1.0), strict=True)]
    after = [graded(name, score(value)) for name, value in zip("abcd", (1.0, 1.0, 0.0, 1.0), strict=True)]

    found = compare(before, after, metric=Metric.REWARD)

    assert list(found) == ["math", "all"]
    assert (found["all"].better, found["all"].worse, found["all"].prompts) == (2, 1, 4)
    assert (found["all"].before, found["all"].after) == pytest.approx((0.6, 0.8))
    assert found["all"].test is Method.SIGN_FLIP
    assert found["all"].p_value == 1.0


def test_right_or_wrong_answers_are_tested_as_pairs_and_scales_by_their_signs() -> None:
    names = [f"p{index}" for index in range(8)]
    before = [graded(name, score(0.0)) for name in names]
    after = [graded(name, score(float(index < 6))) for index, name in enumerate(names)]

    accuracy, reward = (compare(before, after, metric=m)["all"] for m in (Metric.ACCURACY, Metric.REWARD))

    assert (accuracy.test, reward.test) == (Method.MCNEMAR, Method.SIGN_FLIP)
    assert accuracy.p_value == reward.p_value == 2 / 2**6
    assert accuracy.interval.low <= accuracy.difference == 0.75 <= accuracy.interval.high
    assert accuracy.detectable is not None


def test_p_values_are_adjusted_over_the_domains_and_not_over_all() -> None:
    def side(right: int) -> list[Graded]:
        return [
            graded(f"{domain.value}{index}", score(float(index < right)), domain=domain)
            for domain in (Domain.MATH, Domain.LOGIC, Domain.CODE)
            for index in range(6)
        ]

    found = compare(side(0), side(6))

    assert [row.p_adjusted for row in found.values()] == [3 * 2 / 2**6] * 3 + [None]


def test_flips_show_falls_first_and_each_by_its_size() -> None:
    before = [
        graded(name, score(value)) for name, value in zip("abcde", (0.0, 1.0, 0.5, 0.5, 1.0), strict=True)
    ]
    after = [
        graded(name, score(value)) for name, value in zip("abcde", (1.0, 0.0, 0.6, 0.4, 1.0), strict=True)
    ]

    found = flips(before, after)

    assert [flip.example_id[-1] for flip in found] == ["b", "d", "a", "c"]
    assert found[0].completions_before[0].score == score(1.0)
    assert found[0].completions_after[0].score == score(0.0)


def test_format_is_compared_apart_from_accuracy() -> None:
    before, after = [graded("a", score(0.0, form=0.0))], [graded("a", score(0.0))]

    assert compare(before, after, metric=Metric.FORMAT)["all"].difference == 1.0
    assert compare(before, after)["all"].difference == 0.0
    assert flips(before, after) == []


def test_a_prompt_without_a_score_on_either_side_is_in_neither_mean() -> None:
    before = [graded("a", score(0.0)), graded("b", LOST), graded("c", score(1.0))]
    after = [graded("a", score(1.0)), graded("b", score(1.0)), graded("c", LOST)]

    found = compare(before, after)["all"]

    assert (found.prompts, found.before, found.after) == (1, 0.0, 1.0)


def test_samples_of_a_prompt_are_averaged_before_pairing() -> None:
    before = [graded("a", score(0.0), index=index) for index in range(4)]
    after = [graded("a", score(1.0)), *before[1:]]

    assert compare(before, after)["all"].after == pytest.approx(0.25)


def test_all_is_over_the_prompts_of_every_domain() -> None:
    before = [graded("a", score(0.0)), graded("b", score(0.0), domain=Domain.LOGIC)]
    after = [graded("a", score(1.0)), graded("b", score(1.0), domain=Domain.LOGIC)]

    assert {name: row.prompts for name, row in compare(before, after).items()} == {
        "math": 1,
        "logic": 1,
        "all": 2,
    }


def test_evaluations_without_a_common_prompt_compare_to_nothing() -> None:
    assert compare([graded("a", score(0.0))], [graded("b", score(1.0))]) == {}
