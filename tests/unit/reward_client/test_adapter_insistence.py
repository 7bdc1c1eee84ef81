"""When a failure is asked for again, and when it ends the call."""

import pytest

from reward_client.adapters.insist import Insistence, NoScoreError
from reward_client.api import Failure, MathReference, Outcome, Sample, Score

SCORE = Score(value=0.5, components={"format": 1.0, "correctness": 0.5}, verdict="PARTIAL", explanation="")


def sample(sample_id: str) -> Sample:
    return Sample(
        sample_id=sample_id, reward="math", prompt="", completion="", reference=MathReference(answer="4")
    )


def outcome(sample_id: str, kind: str | None = None) -> Outcome:
    result = SCORE if kind is None else Failure(kind=kind, message="m")
    return Outcome(
        sample_id=sample_id, result=result, reward_version="1", cached=False, queue_ms=0.0, grade_ms=0.0
    )


@pytest.fixture
def work() -> Insistence:
    return Insistence([sample("a"), sample("b"), sample("c")], timeout_s=60.0)


def test_scores_for_all_end_it_in_the_order_of_the_samples(work: Insistence) -> None:
    assert work.take([outcome("a"), outcome("b"), outcome("c")]) is None
    assert work.scores == [SCORE] * 3


@pytest.mark.parametrize(
    "kind", ["GRADER", "GRADER_TIMEOUT", "SANDBOX", "DEADLINE", "CANCELLED", "OVERLOADED"]
)
def test_a_failure_that_may_pass_is_pending_alone(work: Insistence, kind: str) -> None:
    wait = work.take([outcome("a"), outcome("b", kind), outcome("c")])

    assert wait is not None
    assert 0 < wait < 5
    assert [each.sample_id for each in work.pending] == ["b"]


@pytest.mark.parametrize("kind", ["BAD_REFERENCE", "UNKNOWN_REWARD"])
def test_a_failure_of_the_data_ends_it_before_others_are_asked_for_again(work: Insistence, kind: str) -> None:
    with pytest.raises(NoScoreError, match=kind) as caught:
        work.take([outcome("a", "SANDBOX"), outcome("b", kind), outcome("c")])
    assert caught.value.lasting


def test_without_time_for_another_attempt_the_failure_is_the_error() -> None:
    work = Insistence([sample("a")], timeout_s=0.0)

    with pytest.raises(NoScoreError, match="SANDBOX: m") as caught:
        work.take([outcome("a", "SANDBOX")])
    assert not caught.value.lasting
