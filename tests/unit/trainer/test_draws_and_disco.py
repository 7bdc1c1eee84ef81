"""What is asked next, and how much a group counts: cursors, posteriors and weights on numbers."""

import json
from collections import Counter
from math import e, log

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reward_client.api import Failure, MathReference, Outcome, Score
from tasks.api import Demonstration, Domain, Example, Split
from tasks.mixing import Mixture
from tasks.pass_rates import PassRates
from trainer.experience.disco import Disco, difficulty_weight, domain_weight
from trainer.experience.draws import Draw, Draws
from trainer.experience.groups import GradedGroup, Group, learn
from trainer.options import GrpoOptions


def examples(**counts: int) -> list[Example]:
    return [
        Example(
            example_id=f"{name}/train/{n}",
            dataset=name,
            domain=Domain(name),
            split=Split.TRAIN,
            prompt=f"{name} {n}",
            reward="math",
            reference=MathReference(answer="1"),
            demonstration=Demonstration(reasoning="r", answer="1"),
        )
        for name, count in counts.items()
        for n in range(count)
    ]


MIXED = Mixture(examples(math=9, code=3), total=24, seed=0, alpha=0.5)


def masked(values: list[float | None]) -> np.ma.MaskedArray:
    return np.ma.masked_array([v or 0.0 for v in values], mask=[v is None for v in values])


def ids(draws: list[Draw]) -> list[str]:
    return [draw.example.example_id for draw in draws]


@pytest.mark.parametrize("exhausted", ["repeat", "pass_rate"])
def test_a_cursor_that_was_saved_anywhere_goes_on_with_the_same_draws(exhausted: str) -> None:
    whole, first = (Draws(MIXED, exhausted=exhausted, seed=1) for _ in range(2))  # type: ignore[arg-type]
    expected: list[str] = []
    got: list[str] = []
    for turn in range(10):
        expected += ids(whole.take(5))
        whole.observe(MIXED[turn], masked([1.0, 0.0, None]))

        saved = json.loads(json.dumps(first.state()))
        first = Draws(MIXED, exhausted=exhausted, seed=1)  # type: ignore[arg-type]
        first.restore(saved)
        got += ids(first.take(5))
        first.observe(MIXED[turn], masked([1.0, 0.0, None]))

    assert got == expected
    assert first.position == 50


def test_draws_are_the_mixture_and_then_the_mixture_again() -> None:
    draws = Draws(MIXED, exhausted="repeat", seed=0).take(30)

    assert [draw.position for draw in draws] == list(range(30))
    assert [draw.example for draw in draws] == [*MIXED, *MIXED[:6]]


def test_pass_rates_change_rows_only_where_rows_would_repeat_and_never_the_domain() -> None:
    plain = Draws(MIXED, exhausted="repeat", seed=0).take(24)
    chosen = Draws(MIXED, exhausted="pass_rate", seed=0).take(24)

    assert [d.example.domain for d in chosen] == [d.example.domain for d in plain]
    new = [i for i in range(24) if not MIXED.repeats(i)]
    assert len(new) == 12
    assert [chosen[i].example for i in new] == [plain[i].example for i in new]


def test_prompts_solved_half_the_time_are_asked_most_and_no_prompt_never() -> None:
    draws = Draws(MIXED, exhausted="pass_rate", seed=0)
    draws.take(24)
    rows = [example for example in dict.fromkeys(MIXED) if example.domain is Domain.MATH]
    for number, example in enumerate(rows):
        # The first is always solved, the second never, the third half the time; four groups each.
        passed = [1.0, 0.0, 0.5][number % 3]
        for _ in range(4):
            draws.observe(example, masked([passed] * 8))

    counts = Counter(
        example_id for _ in range(150) for example_id in ids(draws.take(4)) if "math" in example_id
    )

    by_rate = [sum(counts[e.example_id] for e in rows[kind::3]) for kind in range(3)]
    assert by_rate[2] > 2 * max(by_rate[0], by_rate[1])
    assert min(counts[e.example_id] for e in rows) > 0


def test_within_a_batch_a_preferred_row_comes_once_while_others_are_left() -> None:
    draws = Draws(MIXED, exhausted="pass_rate", seed=0)
    draws.take(24)

    for _ in range(20):
        counts = Counter(name for name in ids(draws.take(6)) if name.startswith("math"))
        assert not counts or max(counts.values()) == 1


@pytest.mark.parametrize(
    ("groups", "expected"),
    [
        ([], 1 / 6),  # the prior: 1 * 1 / (2 * 3)
        ([(4, 4)], 5 / (6 * 7)),
        ([(0, 4)], 5 / (6 * 7)),
        ([(2, 4)], 9 / (6 * 7)),
        ([(4, 4), (2, 4)], 5 * 3 / (8 * 9)),  # the first group counts half: Beta(1 + 2 + 2, 1 + 0 + 2)
    ],
)
def test_the_preference_is_the_expected_variance_under_the_posterior(
    groups: list[tuple[int, int]], expected: float
) -> None:
    rates = PassRates()
    for passed, asked in groups:
        rates.observe("a", passed=passed, asked=asked)

    assert rates.preference("a") == pytest.approx(expected)


@given(st.lists(st.tuples(st.integers(0, 4), st.just(4)), max_size=20))
def test_the_preference_is_always_a_usable_weight(groups: list[tuple[int, int]]) -> None:
    rates = PassRates()
    for passed, asked in groups:
        rates.observe("a", passed=passed, asked=asked)

    assert 0 < rates.preference("a") <= 0.25


def test_the_domain_weight_is_that_of_the_published_constants() -> None:
    # The constants of the paper's reward files, for shares of 3/4 and 1/12.
    assert domain_weight(3 / 4) == pytest.approx(0.847, abs=5e-4)
    assert domain_weight(1 / 12) == pytest.approx(2.565, abs=5e-4)
    assert domain_weight(1 / (e - 1)) == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("self_consistency", "weight"), [(1.0, 1.0), (0.5, 2.0), (0.25, 4.0), (0.1, 4.0), (0.0, 4.0)]
)
def test_the_difficulty_weight_is_the_inverse_pass_rate_and_at_most_the_group(
    self_consistency: float, weight: float
) -> None:
    assert difficulty_weight(self_consistency, 4) == weight


@pytest.mark.parametrize(
    ("mode", "passed", "weight"),
    [
        ("off", [1.0, 0.0, 0.0, 0.0], 1.0),
        ("domain", [1.0, 0.0, 0.0, 0.0], log(5)),
        ("difficulty", [1.0, 0.0, 0.0, 0.0], 4.0),
        ("both", [1.0, 0.0, 0.0, 0.0], 4.0 * log(5)),
        # A failure is no failed attempt: one of three passed.
        ("difficulty", [1.0, 0.0, 0.0, None], 3.0),
        ("difficulty", [None, None, None, None], 1.0),
    ],
)
def test_the_weight_of_a_group(mode: str, passed: list[float | None], weight: float) -> None:
    disco = Disco(mode=mode, shares={Domain.MATH: 0.25, Domain.CODE: 0.75})  # type: ignore[arg-type]

    assert disco.weight(Domain.MATH, masked(passed)) == pytest.approx(weight)


def graded(values: list[float | None]) -> GradedGroup:
    outcomes = [
        Outcome(
            sample_id=str(number),
            result=Failure(kind="GRADER", message="broke")
            if value is None
            else Score(
                value=0.2 + 0.8 * value,
                components={"format": 1.0, "correctness": value},
                verdict="PARTIAL",
                explanation="",
            ),
            reward_version="1",
            cached=False,
            queue_ms=0.0,
            grade_ms=0.0,
        )
        for number, value in enumerate(values)
    ]
    from policy.sampling import Completion

    group = Group(
        draw=Draw(position=0, example=MIXED[[e.domain for e in MIXED].index(Domain.CODE)]),
        prompt_tokens=np.zeros(2, np.int32),
        completions=tuple(
            Completion(text="", tokens=(1,), truncated=number == 0) for number, _ in enumerate(values)
        ),
    )
    return GradedGroup(group=group, outcomes=tuple(outcomes))


def test_scaled_advantages_are_those_of_the_paper() -> None:
    options = GrpoOptions(advantage="mean")
    disco = Disco(mode="both", shares={Domain.CODE: 1 / 12})
    learned = learn(graded([1.0, 0.0, 0.0, 0.0]), options, disco)

    scaled = np.array([1.0, 0.2, 0.2, 0.2]) * log(1 + 12) * (1 / 0.25)
    np.testing.assert_allclose(learned.advantages, scaled - scaled.mean(), rtol=1e-6)


def test_under_std_a_weight_of_the_group_cancels() -> None:
    """Why `trainer.rules` refuses the two together."""
    options = GrpoOptions(advantage="std")
    off, both = (
        learn(graded([1.0, 0.5, 0.0, None]), options, Disco(mode=mode, shares={Domain.CODE: 1 / 12}))
        for mode in ("off", "both")
    )

    np.testing.assert_allclose(both.advantages, off.advantages, atol=1e-4)


@pytest.mark.parametrize(
    ("zero_variance", "mask_truncated", "values", "in_loss"),
    [
        ("keep", False, [1.0, 1.0, 1.0, 1.0], [1, 1, 1, 1]),
        ("mask", False, [1.0, 1.0, 1.0, 1.0], [0, 0, 0, 0]),
        ("mask", False, [1.0, 0.0, None, 1.0], [1, 1, 1, 1]),
        ("mask", False, [1.0, None, None, None], [0, 0, 0, 0]),
        ("keep", True, [1.0, 0.0, 0.0, 0.0], [0, 1, 1, 1]),
        ("mask", True, [1.0, 0.0, 0.0, 0.0], [0, 1, 1, 1]),
    ],
)
def test_which_completions_are_in_the_loss(
    zero_variance: str, mask_truncated: bool, values: list[float | None], in_loss: list[int]
) -> None:
    options = GrpoOptions(zero_variance=zero_variance, mask_truncated=mask_truncated)  # type: ignore[arg-type]
    learned = learn(graded(values), options, Disco(mode="off", shares={}))

    assert learned.in_loss.astype(int).tolist() == in_loss


def test_a_masked_truncated_completion_still_counts_in_its_group() -> None:
    options = GrpoOptions(advantage="mean", mask_truncated=True)
    learned = learn(graded([1.0, 0.0, 0.0, 0.0]), options, Disco(mode="off", shares={}))

    np.testing.assert_allclose(learned.advantages, [0.6, -0.2, -0.2, -0.2], rtol=1e-6)
