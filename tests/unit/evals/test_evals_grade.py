"""Completions become graded completions in order; what could not be graded is never wrong."""

import pytest

from evals.grade import grade, main_component, prompt_rewards
from reward_client.api import Failure, Score
from tests.unit.evals.graded_examples import Server, example, graded, score


def test_each_completion_meets_its_own_outcome_in_order() -> None:
    found = grade(Server(), [example("a"), example("b")], [["4", "5"], ["4"]])

    assert [(item.example_id, item.sample_index, item.completion) for item in found] == [
        ("gsm8k/test/a", 0, "4"),
        ("gsm8k/test/a", 1, "5"),
        ("gsm8k/test/b", 0, "4"),
    ]
    assert [item.score.value for item in found if item.score] == pytest.approx([1.0, 0.2, 1.0])


def test_the_completions_of_a_prompt_are_sent_as_one_group_with_unique_ids() -> None:
    server = Server()

    grade(server, [example("a"), example("b")], [["4", "4"], ["4"]])

    assert [sample.group_id for sample in server.samples] == ["gsm8k/test/a"] * 2 + ["gsm8k/test/b"]
    assert len({sample.sample_id for sample in server.samples}) == 3


def test_a_failure_leaves_a_completion_ungraded() -> None:
    found = grade(Server(), [example("a")], [["broken", "4"]])

    assert [item.score is None for item in found] == [True, False]
    assert prompt_rewards(found) == {"gsm8k/test/a": pytest.approx(1.0)}


def test_a_prompt_without_any_score_has_no_mean() -> None:
    assert prompt_rewards(grade(Server(), [example("a")], [["broken", "broken"]])) == {}


def test_nothing_to_grade_calls_no_server() -> None:
    server = Server()

    assert grade(server, [example("a")], [[]]) == []
    assert server.samples == []


def test_completions_that_do_not_line_up_are_refused() -> None:
    with pytest.raises(ValueError, match="2 examples but completions for 1"):
        grade(Server(), [example("a"), example("b")], [["4"]])


def test_an_example_given_twice_is_refused() -> None:
    with pytest.raises(ValueError, match="twice"):
        grade(Server(), [example("a"), example("a")], [["4"], ["4"]])


def test_prompt_means_are_over_the_scores_of_the_prompt() -> None:
    items = [
        graded("a", score(1.0)),
        graded("a", score(0.0), index=1),
        graded("a", Failure(kind="DEADLINE", message=""), index=2),
    ]

    assert prompt_rewards(items) == {"gsm8k/test/a": pytest.approx(0.6)}


def test_a_score_outside_the_contract_is_named() -> None:
    with pytest.raises(ValueError, match=r"neither .* only \['format'\]"):
        main_component(Score(value=0.2, components={"format": 1.0}, verdict="CORRECT", explanation=""))
