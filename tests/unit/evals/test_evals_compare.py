"""Two evaluations are compared prompt by prompt, over what both could grade."""

import pytest

from evals.compare import compare
from reward_client.api import Failure
from tasks.api import Domain
from tests.unit.evals.graded_examples import graded, score

LOST = Failure(kind="DEADLINE", message="")


def test_each_prompt_counts_once_as_better_worse_or_the_same() -> None:
    before = [graded(name, score(value)) for name, value in zip("abcd", (0.0, 0.0, 1.0, 1.0), strict=True)]
    after = [graded(name, score(value)) for name, value in zip("abcd", (1.0, 1.0, 0.0, 1.0), strict=True)]

    found = compare(before, after, seed=0)

    assert list(found) == ["math", "all"]
    assert (found["all"].better, found["all"].worse, found["all"].prompts) == (2, 1, 4)
    assert (found["all"].before, found["all"].after) == pytest.approx((0.6, 0.8))
    assert found["all"].p_value == 0.5


def test_a_prompt_without_a_score_on_either_side_is_in_neither_mean() -> None:
    before = [graded("a", score(0.0)), graded("b", LOST), graded("c", score(1.0))]
    after = [graded("a", score(1.0)), graded("b", score(1.0)), graded("c", LOST)]

    found = compare(before, after, seed=0)["all"]

    assert (found.prompts, found.before, found.after) == (1, pytest.approx(0.2), pytest.approx(1.0))


def test_samples_of_a_prompt_are_averaged_before_pairing() -> None:
    before = [graded("a", score(0.0), index=index) for index in range(4)]
    after = [graded("a", score(1.0)), *before[1:]]

    assert compare(before, after, seed=0)["all"].after == pytest.approx(0.4)


def test_all_is_over_the_prompts_of_every_domain() -> None:
    before = [graded("a", score(0.0)), graded("b", score(0.0), domain=Domain.LOGIC)]
    after = [graded("a", score(1.0)), graded("b", score(1.0), domain=Domain.LOGIC)]

    assert {name: row.prompts for name, row in compare(before, after, seed=0).items()} == {
        "math": 1,
        "logic": 1,
        "all": 2,
    }


def test_evaluations_without_a_common_prompt_compare_to_nothing() -> None:
    assert compare([graded("a", score(0.0))], [graded("b", score(1.0))], seed=0) == {}
