"""Two evaluations of the same prompts, paired: what rose, what fell, and whether it is luck."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from evals.grade import Graded, prompt_rewards
from evals.results import ALL
from evals.statistics import paired_rise

_TIE = 1e-9


@dataclass(frozen=True, kw_only=True, slots=True)
class Comparison:
    """One domain over the prompts graded on both sides. Rewards are means of per-prompt means.

    `better` and `worse` count the prompts whose mean reward changed. `p_value` is
    one-sided, that the reward rose, and not corrected for the number of domains.
    """

    prompts: int
    before: float
    after: float
    better: int
    worse: int
    p_value: float


def compare(before: Sequence[Graded], after: Sequence[Graded], *, seed: int) -> Mapping[str, Comparison]:
    """Compare by domain, with `all` last; a domain without a common prompt is absent."""
    rewards_before, rewards_after = prompt_rewards(before), prompt_rewards(after)
    domains: dict[str, set[str]] = defaultdict(set)
    for item in (*before, *after):
        if item.example_id in rewards_before and item.example_id in rewards_after:
            domains[item.domain.value].add(item.example_id)
    if not domains:
        return {}
    domains[ALL] = set[str]().union(*domains.values())
    return {
        name: _comparison(sorted(ids), rewards_before, rewards_after, seed=seed)
        for name, ids in domains.items()
    }


def _comparison(
    ids: Sequence[str], before: Mapping[str, float], after: Mapping[str, float], *, seed: int
) -> Comparison:
    differences = [after[name] - before[name] for name in ids]
    test = paired_rise({name: before[name] for name in ids}, {name: after[name] for name in ids}, seed=seed)
    return Comparison(
        prompts=test.prompts,
        before=fmean(before[name] for name in ids),
        after=fmean(after[name] for name in ids),
        better=sum(difference > _TIE for difference in differences),
        worse=sum(difference < -_TIE for difference in differences),
        p_value=test.p_value,
    )
