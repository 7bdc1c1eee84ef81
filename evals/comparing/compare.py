"""Two evaluations of the same prompts, paired: what rose, what fell, and whether it is luck.

`pairing` says which prompts count. The number of a prompt is the mean over its completions.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from statistics import fmean

import numpy as np

from evals.comparing.pairing import pair
from evals.grade import Graded, main_component
from evals.paired import LEVEL, bootstrap, detectable_effect, holm, mcnemar_exact, sign_flip
from evals.results import ALL
from evals.statistics import TIE, Interval
from reward_client.api import Score


class Metric(Enum):
    """What is compared. Accuracy is correctness, or quality where nothing is right or wrong."""

    ACCURACY = "accuracy"
    REWARD = "reward"
    FORMAT = "format"

    def of(self, score: Score) -> float:
        """Read this metric off a score, in [0, 1]."""
        match self:
            case Metric.ACCURACY:
                return main_component(score)
            case Metric.REWARD:
                return score.value
            case Metric.FORMAT:
                return score.components["format"]


class Method(Enum):
    """How a p-value came about: right-or-wrong pairs, or differences on a scale."""

    MCNEMAR = "McNemar"
    SIGN_FLIP = "sign flip"


@dataclass(frozen=True, kw_only=True, slots=True)
class Comparison:
    """One metric of one domain over the prompts graded on both sides, as means of per-prompt means.

    `interval` is the 95 % paired bootstrap interval of the difference. `better` and
    `worse` count the prompts that changed. `p_value` is two-sided; `p_adjusted` is Holm's
    over the domains, None for `all`. `detectable` is the smallest true difference that
    such a comparison finds four times of five, None where nothing varied.
    """

    prompts: int
    before: float
    after: float
    interval: Interval
    better: int
    worse: int
    test: Method
    p_value: float
    p_adjusted: float | None
    detectable: float | None

    @property
    def difference(self) -> float:
        """Mean after minus mean before."""
        return self.after - self.before

    @property
    def verdict(self) -> str:
        """`better` or `worse` where p, adjusted where it is one of several, is below 0.05; else empty."""
        p_value = self.p_value if self.p_adjusted is None else self.p_adjusted
        if p_value >= LEVEL or self.difference == 0:
            return ""
        return "better" if self.difference > 0 else "worse"


@dataclass(frozen=True, kw_only=True, slots=True)
class Flip:
    """A prompt whose metric changed, with both sides' completions in order."""

    example_id: str
    domain: str
    before: float
    after: float
    completions_before: tuple[Graded, ...]
    completions_after: tuple[Graded, ...]


def compare(
    before: Sequence[Graded], after: Sequence[Graded], *, metric: Metric = Metric.ACCURACY, seed: int = 0
) -> Mapping[str, Comparison]:
    """Compare by domain, with `all` last; a domain without a common prompt is absent."""
    mine, theirs = _values(before, metric), _values(after, metric)
    paired = pair(before, after).prompts
    domains: dict[str, set[str]] = defaultdict(set)
    for item in after:
        if item.example_id in paired:
            domains[item.domain.value].add(item.example_id)
    if not domains:
        return {}
    rows = {name: _comparison(sorted(ids), mine, theirs, seed=seed) for name, ids in domains.items()}
    adjusted = holm([row.p_value for row in rows.values()])
    rows = {name: replace(row, p_adjusted=p) for (name, row), p in zip(rows.items(), adjusted, strict=True)}
    every = sorted(set[str]().union(*domains.values()))
    return {**rows, ALL: _comparison(every, mine, theirs, seed=seed)}


def flips(
    before: Sequence[Graded], after: Sequence[Graded], *, metric: Metric = Metric.ACCURACY
) -> list[Flip]:
    """List the prompts whose metric changed, the largest falls first, then the largest rises."""
    mine, theirs = _values(before, metric), _values(after, metric)
    by_prompt_before, by_prompt_after = _by_prompt(before), _by_prompt(after)
    changed = [
        Flip(
            example_id=name,
            domain=by_prompt_after[name][0].domain.value,
            before=mine[name],
            after=theirs[name],
            completions_before=tuple(by_prompt_before[name]),
            completions_after=tuple(by_prompt_after[name]),
        )
        for name in sorted(pair(before, after).prompts)
        if abs(theirs[name] - mine[name]) > TIE
    ]
    falls_first = sorted(changed, key=lambda flip: flip.after - flip.before)
    split = sum(flip.after < flip.before for flip in changed)
    return falls_first[:split] + falls_first[split:][::-1]


def _values(graded: Sequence[Graded], metric: Metric) -> Mapping[str, float]:
    """Return the mean of the metric of each prompt that has a score, by example id."""
    values: dict[str, list[float]] = defaultdict(list)
    for item in graded:
        if item.score is not None:
            values[item.example_id].append(metric.of(item.score))
    return {example_id: fmean(listed) for example_id, listed in values.items()}


def _by_prompt(graded: Sequence[Graded]) -> Mapping[str, list[Graded]]:
    prompts: dict[str, list[Graded]] = defaultdict(list)
    for item in graded:
        prompts[item.example_id].append(item)
    return prompts


def _comparison(
    ids: Sequence[str], before: Mapping[str, float], after: Mapping[str, float], *, seed: int
) -> Comparison:
    differences = np.array([after[name] - before[name] for name in ids])
    better, worse = int((differences > TIE).sum()), int((differences < -TIE).sum())
    binary = all(value in (0.0, 1.0) for name in ids for value in (before[name], after[name]))
    return Comparison(
        prompts=len(ids),
        before=fmean(before[name] for name in ids),
        after=fmean(after[name] for name in ids),
        interval=bootstrap(differences, seed=seed),
        better=better,
        worse=worse,
        test=Method.MCNEMAR if binary else Method.SIGN_FLIP,
        p_value=mcnemar_exact(better, worse) if binary else sign_flip(differences, seed=seed),
        p_adjusted=None,
        detectable=detectable_effect(differences),
    )
