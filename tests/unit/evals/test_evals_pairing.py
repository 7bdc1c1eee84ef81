"""Prompts that two evaluations do not share are counted by why, and are in no number."""

import dataclasses

from evals.comparing.compare import compare, flips
from evals.comparing.pairing import ONLY_AFTER, ONLY_BEFORE, OTHER_QUESTION, UNGRADED, pair
from reward_client.api import Failure
from tests.unit.evals.graded_examples import graded, score

LOST = Failure(kind="DEADLINE", message="")
OTHER = dataclasses.replace(graded("other", score(1.0)), prompt="another question")
REGRADED = dataclasses.replace(graded("regraded", score(1.0)), reward="choice")
BEFORE = [
    graded("both", score(0.0)),
    graded("lost", LOST),
    graded("first", score(0.0)),
    graded("other", score(0.0)),
    graded("regraded", score(0.0)),
]
AFTER = [
    graded("both", score(1.0)),
    graded("lost", score(1.0)),
    graded("second", score(1.0)),
    OTHER,
    REGRADED,
]


def test_every_prompt_without_a_pair_is_counted_with_its_reason() -> None:
    found = pair(BEFORE, AFTER)

    assert found.prompts == {"gsm8k/test/both"}
    assert found.left_out == {ONLY_BEFORE: 1, ONLY_AFTER: 1, OTHER_QUESTION: 2, UNGRADED: 1}


def test_prompts_without_a_pair_are_in_no_number_and_no_list_of_flips() -> None:
    found = compare(BEFORE, AFTER)["all"]

    assert (found.prompts, found.before, found.after) == (1, 0.0, 1.0)
    assert [flip.example_id for flip in flips(BEFORE, AFTER)] == ["gsm8k/test/both"]


def test_one_score_of_several_samples_is_enough_for_a_pair() -> None:
    before = [graded("a", LOST), graded("a", score(1.0), index=1)]

    assert pair(before, [graded("a", score(1.0))]).left_out == {}
