"""The paired statistics, against scipy and statsmodels and by simulation."""

from itertools import permutations

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.multitest import multipletests

from evals.paired import bootstrap, detectable_effect, holm, mcnemar_exact, sign_flip
from evals.statistics import pass_at


@pytest.mark.parametrize(
    ("better", "worse"), [(0, 0), (1, 0), (6, 0), (3, 3), (7, 2), (2, 7), (40, 25), (300, 240)]
)
def test_mcnemar_agrees_with_statsmodels(better: int, worse: int) -> None:
    expected = mcnemar([[50, worse], [better, 50]], exact=True).pvalue if better + worse else 1.0

    assert mcnemar_exact(better, worse) == pytest.approx(expected)


def test_few_changed_prompts_give_the_exact_permutation_p_value() -> None:
    differences = np.array([0.3, -0.1, 0.2, 0.4, 0.0, 0.25, -0.05, 0.1, 0.6])
    expected = stats.permutation_test(
        (differences,), np.mean, permutation_type="samples", n_resamples=np.inf
    ).pvalue

    assert sign_flip(differences, seed=0) == pytest.approx(expected)


def test_many_changed_prompts_give_nearly_the_t_tests_p_value() -> None:
    differences = np.random.default_rng(2).normal(0.05, 0.4, size=300)
    expected = stats.ttest_1samp(differences, 0).pvalue

    assert sign_flip(differences, seed=0) == pytest.approx(expected, abs=0.01)
    assert sign_flip(differences, seed=0) == sign_flip(-differences, seed=0)


def test_no_change_at_all_is_no_evidence() -> None:
    assert sign_flip(np.zeros(20), seed=0) == 1.0
    assert mcnemar_exact(0, 0) == 1.0


def test_the_bootstrap_interval_agrees_with_scipy() -> None:
    differences = np.random.default_rng(4).choice([-1.0, 0.0, 0.0, 1.0, 1.0], size=200)
    expected = stats.bootstrap((differences,), np.mean, method="percentile", n_resamples=20_000, rng=1)

    found = bootstrap(differences, seed=0)

    assert found == pytest.approx(tuple(expected.confidence_interval), abs=0.01)


@pytest.mark.parametrize("differences", [[1.0], [0.25, 0.25, 0.25], [0.0] * 5])
def test_what_does_not_vary_has_an_interval_without_width_and_no_p_below_chance(
    differences: list[float],
) -> None:
    """Of one prompt, of ties alone, or of no change: the sign flips say how little it shows."""
    values = np.array(differences)

    assert bootstrap(values, seed=0) == (differences[0], differences[0])
    assert sign_flip(values, seed=0) >= 2 / 2 ** len(differences)


def test_ties_count_as_extreme_whatever_the_order_of_their_sum() -> None:
    """0.1 + 0.2 differs from 0.3 in floating point: a p-value must not hang on that."""
    differences = np.array([0.1, 0.2, -0.3, 0.1, 0.2, 0.3])
    expected = stats.permutation_test(
        (differences,), np.mean, permutation_type="samples", n_resamples=np.inf, alternative="two-sided"
    ).pvalue

    found = {sign_flip(np.array(list(order)), seed=0) for order in permutations(differences.tolist())}

    assert list(found) == [pytest.approx(expected)]


def test_the_bootstrap_of_ten_thousand_prompts_fits_in_memory() -> None:
    low, high = bootstrap(np.random.default_rng(0).normal(size=10_000), seed=0)

    assert low < 0.05 < high + 0.1


@pytest.mark.parametrize(
    "p_values", [[0.01, 0.04, 0.03, 0.2], [0.5], [], [0.02, 0.02, 0.02], [0.9, 0.001, 0.6]]
)
def test_holm_agrees_with_statsmodels(p_values: list[float]) -> None:
    expected = multipletests(p_values, method="holm")[1].tolist() if p_values else []

    assert holm(p_values) == pytest.approx(expected)


def test_a_true_change_of_the_detectable_size_is_found_four_times_of_five() -> None:
    rng = np.random.default_rng(8)
    effect = detectable_effect(rng.normal(0.0, 0.4, size=400))
    assert effect is not None

    found = sum(stats.ttest_1samp(rng.normal(effect, 0.4, size=400), 0).pvalue < 0.05 for _ in range(500))

    assert 0.74 <= found / 500 <= 0.86


def test_nothing_is_said_about_what_never_varied() -> None:
    assert detectable_effect(np.full(30, 0.2)) is None
    assert detectable_effect(np.array([0.4])) is None


@pytest.mark.parametrize(
    ("completions", "right", "k"), [(10, 3, 1), (10, 3, 4), (5, 0, 5), (5, 5, 2), (8, 7, 2)]
)
def test_pass_at_k_is_the_chance_of_a_draw_without_replacement_with_a_right_one(
    completions: int, right: int, k: int
) -> None:
    expected = 1 - stats.hypergeom(completions, right, k).pmf(0)

    assert pass_at(k, completions=completions, right=right) == pytest.approx(expected)


@pytest.mark.parametrize("k", [0, 4])
def test_pass_at_more_completions_than_there_are_is_refused(k: int) -> None:
    with pytest.raises(ValueError, match=f"k={k}"):
        pass_at(k, completions=3, right=1)
