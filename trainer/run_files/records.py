"""What a run writes down: a `StepRecord` a step, a `RolloutRecord` a completion, a `Summary` at the end.

All are plain values with one JSON form, written by the training loop and read by
the live view, the plots and the tests. Seconds are wall seconds. JSON has no NaN: a
number that is not finite is written as null and read back as NaN.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import MISSING, Field, asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from evals.results import DomainResult
from evals.statistics import Interval

METRICS_FILE = "metrics.jsonl"
SUMMARY_FILE = "summary.json"


@dataclass(frozen=True, kw_only=True, slots=True)
class StepRecord:
    """One optimizer step, as a line of `metrics.jsonl`.

    Rewards are means of `Score.value` over the graded completions of the step; a
    domain without a graded completion in the step is absent. `kl` is the mean per-token
    estimate against the reference policy (k3 unless `grpo.kl` says otherwise), NaN without one.
    `failures` counts ungraded completions by kind. Means of a step with several updates are
    over its updates. What a refill passed over counts in no mean.

    Fields with a default came later; records without them are read.
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
    prompt_hash: str = ""
    """Of the prompt template."""
    format_by_domain: Mapping[str, float] = field(default_factory=dict)
    correctness_by_domain: Mapping[str, float] = field(default_factory=dict)
    """Correctness, or quality where a domain has no right answer."""
    length_by_domain: Mapping[str, float] = field(default_factory=dict)
    """Mean tokens of a completion."""
    truncated_by_domain: Mapping[str, int] = field(default_factory=dict)
    """Completions that ran into their budget."""
    verdicts: Mapping[str, int] = field(default_factory=dict)
    entropy: float = math.nan
    """Mean per token, in nats; NaN where the loss divides by a constant length."""
    clip_share: float = math.nan
    """Share of tokens whose ratio was clipped."""
    seconds: Mapping[str, float] = field(default_factory=dict)
    """Of `step_s` by phase: sample, reference, rewards (waited for), update."""
    completions_in_loss: int = 0
    """Completions that masks left in the loss."""
    groups_few_scores: int = 0
    """Groups of the batch with fewer than two scores; their advantages are zero."""
    groups_drawn: int = 0
    """Groups sampled for this step; above the batch, a refill replaced some."""
    groups_without_variance: int = 0
    """Groups among those drawn whose scores are all equal, or fewer than two."""
    data_position: int = 0
    """Prompts drawn since the run began, this step's included."""
    updates: int = 0
    """Optimizer updates since the run began, this step's included."""
    prompt_padding: float = math.nan
    """Share of the prompts' token positions that is padding, which is computed and thrown away."""
    completion_padding: float = math.nan
    """The same of completions, in the update."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RolloutRecord:
    """One completion of a step, as it was graded and learned from.

    `score` is NaN and `verdict` empty where there is only a `failure`; `advantage` is what the
    loss saw, `in_loss` whether its tokens were in the loss at all.
    """

    step: int
    sample_id: str
    group_id: str
    example_id: str
    domain: str
    reward: str
    prompt: str
    completion: str
    tokens: int
    truncated: bool
    score: float
    components: Mapping[str, float]
    verdict: str
    failure: str
    explanation: str
    reward_version: str
    advantage: float
    in_loss: bool


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


class RecordError(ValueError):
    """A line or file is not a record in its JSON form."""


def to_json(record: StepRecord | RolloutRecord | Summary, *, indent: int | None = None) -> str:
    """Return the record as JSON under its field names, on one line without `indent`."""
    return json.dumps(_finite(asdict(record)), allow_nan=False, ensure_ascii=False, indent=indent)


def step_from_json(line: str) -> StepRecord:
    """Read one line of `metrics.jsonl`.

    Raises:
        RecordError: the line is not JSON, or its fields are not those of a step.
    """
    return StepRecord(**_values(StepRecord, _object(line)))


def rollout_from_json(line: str) -> RolloutRecord:
    """Read one line of `completions.jsonl`.

    Raises:
        RecordError: the line is not JSON, or its fields are not those of a completion.
    """
    return RolloutRecord(**_values(RolloutRecord, _object(line)))


def read_steps(path: Path) -> list[StepRecord]:
    """Read `metrics.jsonl` in order of steps; empty where there is none.

    A resumed run repeats the steps since its checkpoint: the later record of a step
    counts. A last line cut short by a crash is left out.

    Raises:
        RecordError: another line is not a step.
    """
    if not path.is_file():
        return []
    lines = path.read_text(encoding="utf-8").split("\n")  # what follows the last newline was cut short
    steps = {record.step: record for record in map(step_from_json, lines[:-1])}
    return [steps[step] for step in sorted(steps)]


def summary_from_json(text: str) -> Summary:
    """Read `summary.json`.

    Raises:
        RecordError: the text is not JSON, or its fields are not those of a summary.
    """
    values = _values(Summary, _object(text))
    return Summary(
        **{
            **values,
            "before": domain_results_from_json(values["before"]),
            "after": domain_results_from_json(values["after"]),
        }
    )


def domain_results_from_json(raw: Mapping[str, Any]) -> dict[str, DomainResult]:
    """Read results by domain from their JSON form."""
    return {domain: _result(_values(DomainResult, values)) for domain, values in raw.items()}


def _result(values: dict[str, Any]) -> DomainResult:
    intervals = {name: Interval(*pair) for name, pair in values.items() if name.endswith("_interval")}
    return DomainResult(**{**values, **intervals})


def _object(text: str) -> Mapping[str, Any]:
    try:
        raw = json.loads(text)
    except json.JSONDecodeError as error:
        raise RecordError(f"not JSON: {error}") from error
    if not isinstance(raw, dict):
        raise RecordError(f"a record is a JSON object, not {type(raw).__name__}")
    return raw


def _values(
    kind: type[StepRecord | RolloutRecord | Summary | DomainResult], raw: Mapping[str, Any]
) -> dict[str, Any]:
    expected = {item.name for item in fields(kind)}
    required = {item.name for item in fields(kind) if not _has_default(item)}
    if not required <= raw.keys() <= expected:
        missing, unknown = sorted(required - raw.keys()), sorted(raw.keys() - expected)
        raise RecordError(f"{kind.__name__}: missing fields {missing}, unknown fields {unknown}")
    return {name: math.nan if value is None else value for name, value in raw.items()}


def _has_default(item: Field[Any]) -> bool:
    return item.default is not MISSING or item.default_factory is not MISSING


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return value
