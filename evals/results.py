"""What an evaluation found: by domain, and over the prompts of all of them.

Plain values and how they are computed from graded completions. Files are in `store`.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from evals.grade import Graded, main_component
from evals.statistics import Estimate, Interval, estimate, pass_at
from reward_client.api import Failure, Score

ALL = "all"


@dataclass(frozen=True, kw_only=True, slots=True)
class DomainSummary:
    """One domain of one evaluation. Estimates are None where nothing was graded.

    `accuracy` is the mean correctness, or quality where a domain has no right answer;
    `accuracy_given_format` is over the completions that passed the format gate.
    `ungraded` counts completions without a score by kind; they are in no estimate.
    `pass_at[k]` is the chance that one of k completions is right, over the prompts with at
    least k graded ones; empty with one completion a prompt and where nothing is right or wrong.
    """

    prompts: int
    completions: int
    ungraded: Mapping[str, int]
    reward: Estimate | None
    format_rate: Estimate | None
    accuracy: Estimate | None
    accuracy_given_format: Estimate | None
    pass_at: Mapping[int, Estimate] = field(default_factory=dict[int, Estimate])


@dataclass(frozen=True, kw_only=True, slots=True)
class DomainResult:
    """One domain before or after training, sampled and greedy, with 95 % intervals.

    `reward` is the mean score of sampled completions; `greedy_*` of one greedy
    completion a prompt. `ungraded` counts completions without a score; they are in no mean.
    `accuracy` is the mean correctness, or quality where a domain has no right answer.
    """

    prompts: int
    completions: int
    ungraded: int
    reward: float
    reward_interval: Interval
    format_rate: float
    accuracy: float
    greedy_reward: float
    greedy_format_rate: float
    greedy_accuracy: float
    greedy_accuracy_interval: Interval


def summarise(graded: Sequence[Graded]) -> Mapping[str, DomainSummary]:
    """Summarise by domain name in order of first appearance, with `all` last."""
    domains: dict[str, list[Graded]] = defaultdict(list)
    for item in graded:
        domains[item.domain.value].append(item)
    summaries = {name: _summary(items) for name, items in domains.items()}
    return {**summaries, ALL: _summary(graded)}


def domain_results(sampled: Sequence[Graded], greedy: Sequence[Graded]) -> Mapping[str, DomainResult]:
    """Join a sampled and a greedy evaluation of the same prompts.

    A domain without a score on both sides has no result and is absent, also `all`.
    """
    greedy_by_domain = summarise(greedy)
    return {
        name: result
        for name, summary in summarise(sampled).items()
        if name in greedy_by_domain and (result := _join(summary, greedy_by_domain[name])) is not None
    }


def reward_versions(graded: Iterable[Graded]) -> Mapping[str, tuple[str, ...]]:
    """Return the versions that graded, by reward; more than one means servers that differ."""
    versions: dict[str, set[str]] = defaultdict(set)
    for item in graded:
        if item.outcome.reward_version:
            versions[item.reward].add(item.outcome.reward_version)
    return {reward: tuple(sorted(versions[reward])) for reward in sorted(versions)}


def ungraded_by_kind(graded: Iterable[Graded]) -> Mapping[str, int]:
    """Count the completions without a score by the kind of failure."""
    kinds = Counter(item.outcome.result.kind for item in graded if isinstance(item.outcome.result, Failure))
    return dict(sorted(kinds.items()))


def first_failures(graded: Iterable[Graded]) -> Mapping[str, str]:
    """Return a completion without a score for each kind of failure, with what the server said of it."""
    found: dict[str, str] = {}
    for item in graded:
        if isinstance(item.outcome.result, Failure):
            found.setdefault(item.outcome.result.kind, f"{item.example_id}: {item.outcome.result.message}")
    return found


def _summary(items: Sequence[Graded]) -> DomainSummary:
    return DomainSummary(
        prompts=len({item.example_id for item in items}),
        completions=len(items),
        ungraded=ungraded_by_kind(items),
        reward=_estimate(items, lambda score: score.value),
        format_rate=_estimate(items, lambda score: score.components["format"]),
        accuracy=_estimate(items, main_component),
        accuracy_given_format=_estimate(
            items, lambda score: main_component(score) if score.components["format"] == 1 else None
        ),
        pass_at=_pass_at(items),
    )


def _estimate(items: Iterable[Graded], value: Callable[[Score], float | None]) -> Estimate | None:
    by_prompt: dict[str, list[float]] = defaultdict(list)
    for item in items:
        if item.score is not None and (number := value(item.score)) is not None:
            by_prompt[item.example_id].append(number)
    return estimate(list(by_prompt.values()))


def _pass_at(items: Iterable[Graded]) -> Mapping[int, Estimate]:
    """Estimate pass@k for k = 1, 2, 4, .. and for the most completions of a prompt."""
    right_by_prompt: dict[str, list[bool]] = defaultdict(list)
    for item in items:
        if item.score is not None and "correctness" in item.score.components:
            right_by_prompt[item.example_id].append(item.score.components["correctness"] == 1)
    most = max(map(len, right_by_prompt.values()), default=0)
    estimates: dict[int, Estimate] = {}
    powers = [2**power for power in range(most.bit_length())]
    for k in dict.fromkeys([*powers, most]) if most > 1 else ():
        chances = [
            [pass_at(k, completions=len(right), right=sum(right))]
            for right in right_by_prompt.values()
            if len(right) >= k
        ]
        if found := estimate(chances):
            estimates[k] = found
    return estimates


def _join(sampled: DomainSummary, greedy: DomainSummary) -> DomainResult | None:
    if not (sampled.reward and sampled.format_rate and sampled.accuracy):
        return None
    if not (greedy.reward and greedy.format_rate and greedy.accuracy):
        return None
    return DomainResult(
        prompts=sampled.prompts,
        completions=sampled.completions,
        ungraded=sum(sampled.ungraded.values()) + sum(greedy.ungraded.values()),
        reward=sampled.reward.mean,
        reward_interval=sampled.reward.interval,
        format_rate=sampled.format_rate.mean,
        accuracy=sampled.accuracy.mean,
        greedy_reward=greedy.reward.mean,
        greedy_format_rate=greedy.format_rate.mean,
        greedy_accuracy=greedy.accuracy.mean,
        greedy_accuracy_interval=greedy.accuracy.interval,
    )
