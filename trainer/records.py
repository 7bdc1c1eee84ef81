"""What a run writes down: one `StepRecord` a step, one `Summary` at the end.

Both are plain values with one JSON form, written by the training loop and read by
the live view, the plots and the tests. Seconds are wall seconds.
"""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class StepRecord:
    """One optimizer step, as a line of `metrics.jsonl`.

    Rewards are means of `Score.value` over the graded completions of the step; a
    domain without a graded completion in the step is absent. `kl` is the mean per-token
    k3 estimate against the reference policy. `failures` counts ungraded completions by kind.
    """

    step: int
    steps: int
    reward: float
    reward_by_domain: Mapping[str, float]
    format_rate: float
    correctness: float
    kl: float
    loss: float
    grad_norm: float
    learning_rate: float
    completions: int
    completion_tokens: int
    completion_length: float
    truncated_share: float
    zero_variance_share: float
    failures: Mapping[str, int]
    reward_wait_s: float
    step_s: float
    elapsed_s: float


@dataclass(frozen=True, kw_only=True, slots=True)
class DomainResult:
    """One domain before or after training, sampled and greedy.

    `reward` is the mean score of sampled completions; `greedy_*` of one greedy
    completion a prompt. `ungraded` counts completions without a score; they are in no mean.
    `accuracy` is the mean correctness, or quality where a domain has no right answer.
    """

    prompts: int
    completions: int
    ungraded: int
    reward: float
    format_rate: float
    accuracy: float
    greedy_reward: float
    greedy_format_rate: float
    greedy_accuracy: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Summary:
    """`summary.json`. `before` and `after` are by domain, with `all` over the prompts of every domain.

    `p_value` is the one-sided paired test over prompts that the sampled reward on
    prompts held out from training rose. `skipped` names what this machine could not
    run (e.g. the code domain without a Docker Engine) and why.
    """

    config: str
    seed: int
    steps: int
    resumed_from_step: int
    before: Mapping[str, DomainResult]
    after: Mapping[str, DomainResult]
    reward_first_tenth: float
    reward_last_tenth: float
    p_value: float
    seconds: Mapping[str, float]
    rewards: int
    reward_wait_s: float
    failures: Mapping[str, int]
    skipped: Mapping[str, str]
    reward_versions: Mapping[str, str]
    prompt_hash: str
