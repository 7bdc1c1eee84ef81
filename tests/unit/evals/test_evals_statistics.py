"""The statistics of evaluations, against scipy and against simulation."""

import numpy as np
import pytest
import statsmodels.api as sm
from scipy import stats

from evals.statistics import Interval, difference, estimate, paired_rise, wilson


@pytest.mark.parametrize(
    ("successes", "n"), [(0, 1), (0, 20), (1, 3), (7, 20), (20, 20), (350, 500), (1, 1319)]
)
def test_wilson_agrees_with_scipy(successes: int, n: int) -> None:
    expected = stats.binomtest(successes, n).proportion_ci(0.95, method="wilson")

    assert wilson(successes / n, n) == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_one_right_or_wrong_answer_a_prompt_gives_wilsons_interval() -> None:
    found = estimate([[1.0]] * 13 + [[0.0]] * 7)

    assert found is not None
    assert found.interval == pytest.approx(wilson(0.65, 20), abs=1e-12)
    assert found.standard_error == pytest.approx(stats.sem([1.0] * 13 + [0.0] * 7), abs=1e-12)
    assert (found.values, found.prompts) == (20, 20)


def test_equal_numbers_of_samples_a_prompt_give_the_standard_error_of_the_prompt_means() -> None:
    values = np.random.default_rng(3).random((30, 4))

    found = estimate(values.tolist())

    assert found is not None
    assert found.mean == pytest.approx(values.mean())
    assert found.standard_error == pytest.approx(stats.sem(values.mean(axis=1)))


def test_unequal_numbers_of_samples_a_prompt_agree_with_statsmodels_cluster_robust_error() -> None:
    rng = np.random.default_rng(8)
    groups = [rng.random(size).tolist() for size in rng.integers(1, 9, size=25)]
    flat = np.array([value for group in groups for value in group])
    prompts = np.repeat(np.arange(25), [len(group) for group in groups])
    fitted = sm.OLS(flat, np.ones_like(flat)).fit(
        cov_type="cluster", cov_kwds={"groups": prompts, "use_correction": False}
    )

    found = estimate(groups)

    assert found is not None
    assert found.mean == pytest.approx(fitted.params[0])
    assert found.standard_error == pytest.approx(fitted.bse[0] * np.sqrt(25 / 24))


def test_repeating_every_sample_makes_nothing_more_certain() -> None:
    once = estimate([[1.0], [0.0], [0.4], [1.0]])
    four_times = estimate([[1.0] * 4, [0.0] * 4, [0.4] * 4, [1.0] * 4])

    assert once is not None
    assert four_times is not None
    assert four_times.interval == pytest.approx(once.interval)
    assert four_times.standard_error == pytest.approx(once.standard_error)


def test_scale_intervals_of_many_prompts_agree_with_students() -> None:
    values = np.random.default_rng(5).beta(4, 3, size=2000)
    expected = stats.t.interval(0.95, 1999, loc=values.mean(), scale=stats.sem(values))

    found = estimate([[value] for value in values])

    assert found is not None
    assert found.interval == pytest.approx(expected, abs=1e-4)


def test_intervals_hold_the_truth_about_as_often_as_they_say() -> None:
    """4 samples a prompt from a prompt-level pass rate: treating samples as independent covers far less."""
    rng = np.random.default_rng(11)
    covered = 0
    for _ in range(400):
        rates = rng.beta(0.6, 0.9, size=60)  # mean 0.4, strongly clustered
        found = estimate(rng.binomial(1, rates[:, None], size=(60, 4)).astype(float).tolist())
        assert found is not None
        covered += found.interval.low <= 0.4 <= found.interval.high

    assert 0.92 <= covered / 400 <= 0.98


@pytest.mark.parametrize("value", [0.0, 0.6, 1.0])
def test_answers_that_all_agree_still_leave_doubt(value: float) -> None:
    found = estimate([[value]] * 5)

    assert found is not None
    assert found.mean == pytest.approx(value)
    assert found.interval.high - found.interval.low > 0.3
    assert found.interval.low <= value <= found.interval.high


def test_a_single_prompt_says_next_to_nothing() -> None:
    found = estimate([[1.0, 0.0, 1.0, 1.0]])

    assert found is not None
    assert found.interval.high - found.interval.low > 0.5


@pytest.mark.parametrize("nothing", [[], [[]], [[], []]])
def test_nothing_graded_has_no_estimate(nothing: list[list[float]]) -> None:
    assert estimate(nothing) is None


def test_an_interval_is_clipped_to_the_range_of_scores() -> None:
    assert wilson(0.0, 4).low == 0.0
    assert wilson(1.0, 4) == Interval(pytest.approx(0.5101, abs=1e-4), 1.0)


@pytest.mark.parametrize(
    ("after", "before", "expected"),
    [((56, 70), (48, 80), (0.0524, 0.3339)), ((10, 10), (0, 10), (0.6075, 1.0))],
)
def test_the_interval_of_a_difference_is_newcombes(
    after: tuple[int, int], before: tuple[int, int], expected: tuple[float, float]
) -> None:
    """His table II, examples (a) and (h)."""
    sides = [(right / n, wilson(right / n, n)) for right, n in (before, after)]

    assert difference(*sides) == pytest.approx(expected, abs=5e-5)


def scipy_p(differences: np.ndarray) -> float:
    found = stats.permutation_test(
        (differences,), np.sum, permutation_type="samples", alternative="greater", n_resamples=np.inf
    )
    return float(found.pvalue)


def paired(differences: np.ndarray) -> tuple[dict[str, float], dict[str, float]]:
    names = [f"p{index}" for index in range(len(differences))]
    return dict.fromkeys(names, 0.5), {name: 0.5 + d for name, d in zip(names, differences, strict=True)}


@pytest.mark.parametrize("seed", range(4))
def test_the_exact_paired_test_agrees_with_scipy(seed: int) -> None:
    differences = np.random.default_rng(seed).choice([-0.4, -0.2, 0.0, 0.2, 0.4, 0.25], size=11)

    assert paired_rise(*paired(differences), seed=0).p_value == pytest.approx(scipy_p(differences))


def test_the_drawn_paired_test_agrees_with_the_exact_one() -> None:
    differences = np.random.default_rng(2).normal(0.1, 0.3, size=18)

    found = paired_rise(*paired(differences), seed=0)

    assert found.p_value == pytest.approx(scipy_p(differences), abs=0.006)
    assert found.difference == pytest.approx(differences.mean())


def test_the_drawn_paired_test_is_the_same_for_the_same_seed_and_never_zero() -> None:
    before, after = paired(np.full(200, 0.3))

    found = [paired_rise(before, after, seed=7).p_value for _ in range(2)]

    assert found[0] == found[1] == pytest.approx(1 / 20_001)


def test_a_fall_is_no_rise() -> None:
    before, after = paired(np.full(12, 0.3))

    assert paired_rise(after, before, seed=0).p_value == 1.0


def test_prompts_ungraded_on_one_side_are_left_out() -> None:
    found = paired_rise({"a": 0.0, "b": 0.0, "gone": 1.0}, {"a": 1.0, "b": 1.0, "new": 0.0}, seed=0)

    assert (found.prompts, found.difference, found.p_value) == (2, 1.0, 0.25)


def test_without_common_prompts_nothing_is_shown() -> None:
    found = paired_rise({"a": 0.0}, {"b": 1.0}, seed=0)

    assert (found.prompts, found.difference, found.p_value) == (0, 0.0, 1.0)
