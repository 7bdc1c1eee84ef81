"""How sure a mean is, and whether a pair of means differs. Pure functions of numbers.

Scores lie in [0, 1] and several completions may share a prompt, so completions are not
independent: prompts are. Everything here treats the prompt as the unit of chance.

Sources:
    clustered standard error   Miller 2024, "Adding Error Bars to Evals", arXiv:2411.00640, section 2.2
    score interval             Wilson 1927; over an effective sample size as Korn and Graubard 1998
    interval of a difference   Newcombe 1998, Statistics in Medicine 17, 873-890, method 10
    sign-flip test             Fisher 1935, "The Design of Experiments", section 21
    pass@k                     Chen et al. 2021, arXiv:2107.03374, equation 1
    Monte Carlo p-value        Phipson and Smyth 2010, never zero: (1 + hits) / (1 + draws)
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from statistics import NormalDist, fmean
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

EXACT_UP_TO = 16  # prompts that changed: 2**16 sign patterns are enumerated in milliseconds
DRAWS = 20_000  # resolves p = 0.05 to a standard error of 0.0015
_BLOCK = 2_000  # draws held in memory at once
TIE = 1e-9  # sums of the same differences in another order may differ by this much


class Interval(NamedTuple):
    low: float
    high: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Estimate:
    """The mean of `values` numbers from `prompts` prompts, with its 95 % interval."""

    mean: float
    standard_error: float
    interval: Interval
    values: int
    prompts: int


@dataclass(frozen=True, kw_only=True, slots=True)
class PairedTest:
    """Change of the per-prompt mean over `prompts` prompts, and the chance of a rise this large by luck."""

    prompts: int
    difference: float
    p_value: float


def wilson(mean: float, n: float) -> Interval:
    """Return Wilson's 95 % score interval of a proportion `mean` over `n` trials; `n` may be fractional."""
    z = NormalDist().inv_cdf(0.975)
    centre = (mean + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(mean * (1 - mean) / n + (z / (2 * n)) ** 2)
    return Interval(max(0.0, centre - half), min(1.0, centre + half))


def estimate(values_by_prompt: Sequence[Sequence[float]]) -> Estimate | None:
    """Estimate the mean of values in [0, 1], or None without any.

    The standard error is clustered by prompt. The interval is Wilson's over the number
    of independent right-or-wrong answers that would have the same standard error, so it
    stays within [0, 1], does not collapse when every answer is right, and is Wilson's
    own for one right-or-wrong answer a prompt.
    """
    groups = [values for values in values_by_prompt if values]
    if not groups:
        return None
    prompts, count = len(groups), sum(len(values) for values in groups)
    mean = fmean(value for values in groups for value in values)
    variance = sum(sum(value - mean for value in values) ** 2 for values in groups) / count**2
    unbiased = variance * prompts / (prompts - 1) if prompts > 1 else 0.0
    return Estimate(
        mean=mean,
        standard_error=math.sqrt(unbiased),
        interval=wilson(min(1.0, max(0.0, mean)), _effective_size(mean, variance, prompts)),
        values=count,
        prompts=prompts,
    )


def pass_at(k: int, *, completions: int, right: int) -> float:
    """Return the unbiased estimate that at least one of `k` completions is right.

    Raises:
        ValueError: there are fewer than `k` completions.
    """
    if not 1 <= k <= completions:
        raise ValueError(f"k={k} needs at least {k} completions and at least 1, there are {completions}")
    return 1 - math.comb(completions - right, k) / math.comb(completions, k)


def difference(before: tuple[float, Interval], after: tuple[float, Interval]) -> Interval:
    """Return the interval of `after - before`, each a mean with its interval, taken as independent.

    Where both are over the same prompts it is wider than a paired one would be.
    """
    (mean_before, (low_before, high_before)), (mean_after, (low_after, high_after)) = before, after
    change = mean_after - mean_before
    return Interval(
        change - math.hypot(mean_after - low_after, high_before - mean_before),
        change + math.hypot(high_after - mean_after, mean_before - low_before),
    )


def paired_rise(before: Mapping[str, float], after: Mapping[str, float], *, seed: int) -> PairedTest:
    """Test one-sidedly whether per-prompt means rose, over the prompts in both mappings.

    Under the null hypothesis each prompt's difference is as likely to have the other
    sign. All sign patterns are tried where few prompts changed; otherwise 20,000 drawn
    from `seed`. Without any common prompt nothing is shown: the p-value is 1.
    """
    prompts = sorted(before.keys() & after.keys())
    if not prompts:
        return PairedTest(prompts=0, difference=0.0, p_value=1.0)
    differences = np.array([after[prompt] - before[prompt] for prompt in prompts])
    changed = differences[np.abs(differences) > TIE]
    exact = changed.size <= EXACT_UP_TO
    p_value = _exact_p(changed) if exact else _monte_carlo_p(changed, np.random.default_rng(seed))
    return PairedTest(prompts=len(prompts), difference=float(differences.mean()), p_value=p_value)


def _effective_size(mean: float, variance: float, prompts: int) -> float:
    """Return the trials whose binomial variance is `variance`; `prompts` where it cannot be estimated."""
    if variance < TIE**2:
        return prompts
    return mean * (1 - mean) / variance


def _exact_p(changed: NDArray[np.float64]) -> float:
    signs = np.array(list(product((-1.0, 1.0), repeat=changed.size)))
    return np.count_nonzero(signs @ changed >= changed.sum() - TIE) / len(signs)


def _monte_carlo_p(changed: NDArray[np.float64], rng: np.random.Generator) -> float:
    threshold = changed.sum() - TIE
    hits = 0
    for _ in range(DRAWS // _BLOCK):
        signs = rng.choice((-1.0, 1.0), size=(_BLOCK, changed.size))
        hits += int(np.count_nonzero(signs @ changed >= threshold))
    return (1 + hits) / (1 + DRAWS)
