"""Whether two evaluations of the same prompts differ, and by how much. Pure functions of numbers.

`differences` are per-prompt: the mean over a prompt's completions after, minus before. The
prompt is the unit of chance, as in `statistics`.

Sources:
    McNemar's exact test       McNemar 1947, Psychometrika 12, 153-157; exact form as Fay 2010, R Journal
                               2(1): a two-sided binomial test of the discordant pairs at 1/2
    sign-flip test             Fisher 1935, "The Design of Experiments", section 21
    bootstrap of a mean        Efron and Tibshirani 1993, "An Introduction to the Bootstrap", chapter 13
    Holm's correction          Holm 1979, Scandinavian Journal of Statistics 6, 65-70
    detectable effect          Miller 2024, "Adding Error Bars to Evals", arXiv:2411.00640, section 5
"""

import math
from collections.abc import Sequence
from itertools import product
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from evals.statistics import DRAWS, EXACT_UP_TO, TIE, Interval

_BLOCK_VALUES = 4_000_000  # numbers drawn at once: 32 MB
LEVEL = 0.05
_POWER = 0.8

Differences = NDArray[np.float64]


def mcnemar_exact(better: int, worse: int) -> float:
    """Return the two-sided p-value that `better` and `worse` discordant pairs are equally likely."""
    pairs = better + worse
    tail = sum(math.comb(pairs, k) for k in range(min(better, worse) + 1))
    return min(1.0, 2 * tail / 2**pairs)


def sign_flip(differences: Differences, *, seed: int) -> float:
    """Return the two-sided p-value that the mean difference is zero.

    Under the null hypothesis each prompt's difference is as likely to have the other
    sign. All patterns are tried where few prompts changed, else 20,000 drawn from `seed`.
    """
    changed = differences[np.abs(differences) > TIE]
    observed = abs(float(changed.sum())) - TIE
    if changed.size <= EXACT_UP_TO:
        signs = np.array(list(product((-1.0, 1.0), repeat=changed.size)))
        return float(np.count_nonzero(np.abs(signs @ changed) >= observed) / len(signs))
    rng = np.random.default_rng(seed)
    hits = 0
    for rows in _blocks(changed.size):
        signs = rng.integers(0, 2, size=(rows, changed.size), dtype=np.int8) * 2.0 - 1.0
        hits += int(np.count_nonzero(np.abs(signs @ changed) >= observed))
    return (1 + hits) / (1 + DRAWS)


def bootstrap(differences: Differences, *, seed: int) -> Interval:
    """Return the 95 % percentile interval of the mean difference, prompts drawn with replacement.

    It has no width when all differences are equal: then the data do not say how sure one can be.
    """
    rng = np.random.default_rng(seed)
    means: list[NDArray[np.float64]] = []
    for rows in _blocks(differences.size):
        drawn = rng.integers(0, differences.size, size=(rows, differences.size))
        means.append(differences[drawn].mean(axis=1))
    low, high = np.quantile(np.concatenate(means), (LEVEL / 2, 1 - LEVEL / 2))
    return Interval(float(low), float(high))


def holm(p_values: Sequence[float]) -> list[float]:
    """Return the p-values adjusted so that all of them together err with the level of one."""
    order = sorted(range(len(p_values)), key=lambda index: p_values[index])
    adjusted = [0.0] * len(p_values)
    highest = 0.0
    for rank, index in enumerate(order):
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = highest
    return adjusted


def detectable_effect(differences: Differences) -> float | None:
    """Return the smallest true mean difference found at the 5 % level in 4 of 5 such comparisons.

    None where the differences do not vary, so that nothing can be said.
    """
    if differences.size < 2 or float(differences.std()) < TIE:
        return None
    standard_error = float(differences.std(ddof=1)) / math.sqrt(differences.size)
    normal = NormalDist()
    return (normal.inv_cdf(1 - LEVEL / 2) + normal.inv_cdf(_POWER)) * standard_error


def _blocks(columns: int) -> list[int]:
    """Split the draws into blocks whose numbers fit in memory."""
    rows = max(1, min(DRAWS, _BLOCK_VALUES // max(1, columns)))
    whole, rest = divmod(DRAWS, rows)
    return [rows] * whole + ([rest] if rest else [])
