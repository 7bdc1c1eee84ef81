"""How a score is put together: the two weights, the zeros, and what a reward may not return."""

import math

import pytest

from reward_server.api import Grade, Measure, Verdict
from reward_server.errors import ConfigurationError, InvalidGradeError
from reward_server.scores import MAX_COMPLETION_BYTES, ScoringConfig, format_invalid, from_grade, too_long


def grade(value: float, **components: float) -> Grade:
    return Grade(value=value, verdict=Verdict.PARTIAL, explanation="so", components=components)


@pytest.mark.parametrize(("raw", "value"), [(0.0, 0.2), (0.5, 0.6), (1.0, 1.0)])
def test_an_open_gate_is_worth_its_weight_and_the_rest_follows_the_grade(raw: float, value: float) -> None:
    score = from_grade(grade(raw, own=0.25), Measure.QUALITY, ScoringConfig())

    assert math.isclose(score.value, value)
    assert score.components == {"format": 1.0, "quality": raw, "own": 0.25}


def test_weights_are_configuration() -> None:
    scoring = ScoringConfig(format_weight=0.0, task_weight=1.0)

    assert from_grade(grade(0.5), Measure.CORRECTNESS, scoring).value == 0.5


def test_a_shut_gate_is_zero_and_says_which_rule_broke() -> None:
    score = format_invalid("the answer is empty", Measure.CORRECTNESS)

    assert (score.value, score.verdict) == (0.0, Verdict.FORMAT_INVALID)
    assert score.explanation == "the answer is empty"
    assert score.components == {"format": 0.0, "correctness": 0.0}


@pytest.mark.parametrize("bad", [math.nan, math.inf, -0.01, 1.01])
@pytest.mark.parametrize("where", ["value", "component"])
def test_a_number_outside_its_range_is_no_score(bad: float, where: str) -> None:
    faulty = grade(bad) if where == "value" else grade(0.5, part=bad)

    with pytest.raises(InvalidGradeError, match="outside"):
        from_grade(faulty, Measure.CORRECTNESS, ScoringConfig())


@pytest.mark.parametrize("name", ["format", "correctness", "quality"])
def test_a_reward_cannot_overwrite_the_components_of_the_scorer(name: str) -> None:
    with pytest.raises(InvalidGradeError, match=name):
        from_grade(grade(0.5, **{name: 1.0}), Measure.CORRECTNESS, ScoringConfig())


@pytest.mark.parametrize(
    ("text", "long"),
    [
        ("x" * MAX_COMPLETION_BYTES, False),
        ("x" * (MAX_COMPLETION_BYTES + 1), True),
        ("\N{SNOWMAN}" * (MAX_COMPLETION_BYTES // 3), False),
        ("\N{SNOWMAN}" * (MAX_COMPLETION_BYTES // 3 + 1), True),
        ("\ud800" * (MAX_COMPLETION_BYTES // 3 + 1), True),
    ],
)
def test_length_is_counted_in_bytes_of_utf8(text: str, long: bool) -> None:
    score = too_long(text, Measure.QUALITY)

    assert (score is not None) == long
    if score is not None:
        assert (score.value, score.verdict) == (0.0, Verdict.TOO_LONG)
        assert "262144" in score.explanation


@pytest.mark.parametrize("weights", [(0.2, 0.9), (-0.1, 1.1), (math.nan, 1.0)])
def test_weights_that_do_not_sum_to_one_are_refused(weights: tuple[float, float]) -> None:
    with pytest.raises(ConfigurationError, match=r"scoring\.format_weight"):
        ScoringConfig(format_weight=weights[0], task_weight=weights[1])


def test_the_configuration_hash_follows_the_weights() -> None:
    other = ScoringConfig(format_weight=0.1, task_weight=0.9)

    assert ScoringConfig().digest() == ScoringConfig().digest()
    assert ScoringConfig().digest() != other.digest()
