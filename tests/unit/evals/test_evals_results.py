"""Summaries by domain: what counts, what does not, and what is absent."""

import pytest

from evals.grade import Graded
from evals.results import domain_results, first_failures, reward_versions, summarise
from reward_client.api import Failure
from tasks.api import Domain
from tests.unit.evals.graded_examples import graded, score

LOST = Failure(kind="DEADLINE", message="")


def test_means_leave_out_the_ungraded_and_count_them_by_kind() -> None:
    summary = summarise(
        [graded("a", score(1.0)), graded("b", score(0.0)), graded("c", LOST), graded("d", LOST)]
    )["math"]

    assert (summary.prompts, summary.completions, summary.ungraded) == (4, 4, {"DEADLINE": 2})
    assert summary.accuracy is not None
    assert (summary.accuracy.mean, summary.accuracy.values) == (0.5, 2)


def test_accuracy_given_format_is_over_completions_that_passed_the_gate() -> None:
    summary = summarise(
        [graded("a", score(1.0)), graded("b", score(0.0, form=0.0)), graded("c", score(0.0))]
    )["math"]

    assert summary.format_rate is not None
    assert summary.accuracy is not None
    assert summary.accuracy_given_format is not None
    assert summary.format_rate.mean == pytest.approx(2 / 3)
    assert summary.accuracy.mean == pytest.approx(1 / 3)
    assert summary.accuracy_given_format.mean == pytest.approx(1 / 2)


def test_without_any_well_formed_completion_there_is_no_accuracy_given_format() -> None:
    summary = summarise([graded("a", score(0.0, form=0.0))])["math"]

    assert summary.accuracy_given_format is None
    assert summary.accuracy is not None


def test_quality_stands_in_where_nothing_is_right_or_wrong() -> None:
    summary = summarise([graded("a", score(0.7, measure="quality"), domain=Domain.WRITING)])["writing"]

    assert summary.accuracy is not None
    assert summary.accuracy.mean == pytest.approx(0.7)


def test_all_is_over_the_prompts_of_every_domain_and_comes_last() -> None:
    summaries = summarise(
        [graded("a", score(1.0)), graded("b", score(1.0)), graded("c", score(0.0), domain=Domain.LOGIC)]
    )

    assert list(summaries) == ["math", "logic", "all"]
    assert summaries["all"].accuracy is not None
    assert summaries["all"].accuracy.mean == pytest.approx(2 / 3)


def test_nothing_graded_at_all_is_absent_and_not_zero() -> None:
    summary = summarise([graded("a", LOST)])["all"]

    assert (summary.reward, summary.format_rate, summary.accuracy) == (None, None, None)


def sampled_and_greedy() -> tuple[list[Graded], list[Graded]]:
    sampled = [graded("a", score(1.0)), graded("a", score(0.0), index=1), graded("a", LOST, index=2)]
    return sampled, [graded("a", score(1.0))]


def test_a_domain_result_joins_sampled_and_greedy() -> None:
    result = domain_results(*sampled_and_greedy())["math"]

    assert (result.prompts, result.completions, result.ungraded) == (1, 3, 1)
    assert result.reward == pytest.approx(0.6)
    assert result.accuracy == pytest.approx(0.5)
    assert result.greedy_accuracy == pytest.approx(1.0)
    assert result.reward_interval.low < 0.6 < result.reward_interval.high


def test_a_domain_graded_on_one_side_only_has_no_result() -> None:
    sampled, greedy = sampled_and_greedy()

    found = domain_results([*sampled, graded("x", score(1.0), domain=Domain.CODE)], greedy)

    assert set(found) == {"math", "all"}
    assert domain_results([graded("a", LOST)], greedy) == {}
    assert domain_results(sampled, [graded("a", LOST)]) == {}
    assert domain_results([], []) == {}


def test_servers_that_differ_show_as_two_versions_of_one_reward() -> None:
    found = reward_versions(
        [
            graded("a", score(1.0), version="1.0.0+bb"),
            graded("b", score(1.0), version="1.0.0+aa"),
            graded("c", LOST, version=""),
        ]
    )

    assert found == {"math": ("1.0.0+aa", "1.0.0+bb")}


def test_pass_at_k_reaches_the_most_completions_and_leaves_out_prompts_with_fewer() -> None:
    ten = [graded("a", score(float(index == 0)), index=index) for index in range(10)]
    three = [graded("b", score(float(index < 2)), index=index) for index in range(3)]

    pass_at = summarise([*ten, *three])["all"].pass_at

    assert list(pass_at) == [1, 2, 4, 8, 10]
    assert [found.prompts for found in pass_at.values()] == [2, 2, 1, 1, 1]
    assert pass_at[1].mean == pytest.approx((0.1 + 2 / 3) / 2)
    assert pass_at[2].mean == pytest.approx((0.2 + 1.0) / 2)
    assert pass_at[10].mean == 1.0


def test_each_kind_of_failure_is_told_with_its_first_completion() -> None:
    kinds = [Failure(kind="SANDBOX", message=f"no engine {n}") for n in range(2)]

    assert first_failures(
        [graded("a", score(1.0)), *(graded(f"b{n}", kind) for n, kind in enumerate(kinds))]
    ) == {"SANDBOX": "gsm8k/test/b0: no engine 0"}
