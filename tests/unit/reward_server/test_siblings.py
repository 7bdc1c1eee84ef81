"""Diversity among siblings: the formula, and what reaches an outcome."""

import time
from collections.abc import Sequence
from dataclasses import replace

import pytest

from reward_server.api import Failure, FailureKind, Outcome, Sample, Score, TextReference
from reward_server.cache.memory import ScoreCache
from reward_server.errors import ConfigurationError
from reward_server.registry import Registry
from reward_server.rewards.ideation import IdeationReward
from reward_server.rewards.writing import WritingReward
from reward_server.scores import ScoringConfig
from reward_server.scoring.fair import Caller
from reward_server.scoring.flights import Flights
from reward_server.scoring.pace import Turnstile
from reward_server.scoring.scorer import Scorer
from reward_server.scoring.siblings import LARGEST_GROUP, compare_siblings
from tests.fake_rewards import completion

STORY = (
    "The keeper counted every ship that passed and wrote its name in chalk on the kitchen wall. When the "
    "wall was full he went on with the stairs, because somebody ought to know that they had been here."
)
OTHER = (
    "My aunt kept bees behind the school. In June the children brought her clover, and she paid them in "
    "honey, one spoon for a handful, until the teacher asked why nobody wanted lunch any more."
)


def sample(answer: str, *, group: str = "g", reward: str = "writing", number: int = 0) -> Sample:
    return Sample(
        sample_id=f"{number}{answer[:9]}",
        reward=reward,
        prompt="Write a few sentences.",
        completion=completion(answer),
        reference=TextReference(),
        group_id=group,
    )


def scorer(scoring: ScoringConfig, flights: Flights) -> Scorer:
    registry = Registry([WritingReward(), IdeationReward()], scoring)
    return Scorer(
        registry,
        scoring=scoring,
        lanes={},
        cache=ScoreCache(100),
        flights=flights,
        on_defect=lambda *_: None,
    )


async def grade(made: Scorer, samples: Sequence[Sample]) -> list[Outcome]:
    with Turnstile().pace(Caller()) as pace:
        return await made.score(samples, deadline=time.perf_counter() + 30.0, pace=pace)


async def score(*samples: Sample, weight: float = 0.0) -> list[Outcome]:
    async with Flights() as flights:
        made = scorer(ScoringConfig(diversity_weight=weight), flights)
        return await grade(made, samples)


def diversities(outcomes: Sequence[Outcome]) -> list[float | None]:
    scores = [outcome.result for outcome in outcomes]
    assert all(isinstance(each, Score) for each in scores)
    return [each.components.get("diversity") for each in scores if isinstance(each, Score)]


def values(outcomes: Sequence[Outcome]) -> list[float]:
    return [outcome.result.value for outcome in outcomes if isinstance(outcome.result, Score)]


async def test_copies_have_no_diversity_and_unlike_texts_have_all_of_it() -> None:
    assert diversities(await score(sample(STORY), sample(STORY, number=1))) == [0.0, 0.0]
    assert diversities(await score(sample(STORY), sample(OTHER))) == [1.0, 1.0]


async def test_diversity_is_the_mean_over_siblings_of_the_own_4_grams_they_lack() -> None:
    first, second, third = (
        "one two three four five six",
        "one two three four five nine",
        "seven eight nine ten eleven twelve",
    )

    found = diversities(await score(sample(first), sample(second), sample(third)))

    # Three 4-grams each; two of them are shared by the first two.
    assert found == pytest.approx([1 - (2 / 3 + 0) / 2, 1 - (2 / 3 + 0) / 2, 1.0])


async def test_only_answers_of_one_group_and_one_reward_are_siblings() -> None:
    alone = await score(
        sample(STORY),
        sample(STORY, group="other"),
        sample(STORY, group="", number=1),
        sample(STORY, group="", number=2),
        sample(STORY, reward="ideation"),
    )

    assert diversities(alone) == [None] * 5


async def test_answers_that_earned_nothing_are_no_siblings() -> None:
    shut = replace(sample(STORY, number=1), completion=STORY)

    assert diversities(await score(sample(STORY), shut, sample("word " * 3_000))) == [None, None, None]


async def test_without_a_weight_diversity_is_reported_and_changes_no_value() -> None:
    (alone,) = await score(sample(STORY))

    assert values(await score(sample(STORY), sample(STORY, number=1))) == values([alone]) * 2


async def test_with_a_weight_a_copy_loses_that_share_of_its_quality_but_no_format() -> None:
    (alone,) = values(await score(sample(STORY)))

    copies = await score(sample(STORY), sample(STORY, number=1), weight=0.25)

    assert values(copies) == pytest.approx([0.2 + 0.75 * (alone - 0.2)] * 2)
    assert isinstance(copies[0].result, Score)
    assert copies[0].result.explanation.endswith("; diversity 0.00")


async def test_a_cached_score_carries_nothing_of_another_group() -> None:
    async with Flights() as flights:
        made = scorer(ScoringConfig(diversity_weight=1.0), flights)
        copies = await grade(made, [sample(STORY), sample(STORY, number=1)])
        (again,) = await grade(made, [sample(STORY)])
        beside = await grade(made, [sample(STORY), sample(OTHER)])

    assert again.cached
    assert diversities([again]) == [None]
    assert values(copies)[0] < values([again])[0] == values(beside)[0]
    assert diversities(beside) == [1.0, 1.0]


async def test_a_group_larger_than_any_trainer_s_is_not_compared() -> None:
    group = [sample(f"{STORY} {number}.", number=number) for number in range(LARGEST_GROUP + 1)]

    assert set(diversities(await score(*group))) == {None}
    assert None not in diversities(await score(*group[1:]))


@pytest.mark.parametrize(("weight", "fails"), [(0.0, False), (0.5, True)])
async def test_out_of_time_there_is_no_score_where_diversity_is_part_of_it(
    weight: float, fails: bool
) -> None:
    samples = [sample(STORY), sample(OTHER)]
    outcomes = await score(*samples)
    out_of_time = Failure(kind=FailureKind.DEADLINE, message="late")

    with Turnstile().pace(Caller()) as pace:
        found = await compare_siblings(
            samples,
            outcomes,
            compared={"writing"},
            scoring=ScoringConfig(diversity_weight=weight),
            late=lambda: out_of_time,
            pace=pace,
        )

    assert found == ([replace(each, result=out_of_time) for each in outcomes] if fails else outcomes)


@pytest.mark.parametrize(("weight", "deterministic"), [(0.0, True), (0.1, False)])
def test_callers_are_told_when_equal_samples_may_get_other_scores(weight: float, deterministic: bool) -> None:
    entry = Registry([WritingReward()], ScoringConfig(diversity_weight=weight)).find("writing")

    assert entry.deterministic is deterministic


def test_the_version_follows_the_weight_of_diversity() -> None:
    scorings = (ScoringConfig(), ScoringConfig(diversity_weight=0.1))

    assert len({Registry([WritingReward()], each).find("writing").version for each in scorings}) == 2
    assert len({each.digest() for each in scorings}) == 2


@pytest.mark.parametrize("weight", [-0.1, 1.1, float("nan")])
def test_a_weight_that_is_no_share_is_refused(weight: float) -> None:
    with pytest.raises(ConfigurationError, match=r"scoring\.diversity_weight"):
        ScoringConfig(diversity_weight=weight)
