"""What a run writes down: one `StepRecord` a step, one `Summary` at the end.

Both are plain values with one JSON form, written by the training loop and read by
the live view, the plots and the tests. Seconds are wall seconds. JSON has no NaN: a
number that is not finite is written as null and read back as NaN.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
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


def to_json(record: StepRecord | Summary, *, indent: int | None = None) -> str:
    """Return the record as JSON under its field names, on one line without `indent`."""
    return json.dumps(_finite(asdict(record)), allow_nan=False, ensure_ascii=False, indent=indent)


def step_from_json(line: str) -> StepRecord:
    """Read one line of `metrics.jsonl`.

    Raises:
        RecordError: the line is not JSON, or its fields are not those of a step.
    """
    return StepRecord(**_values(StepRecord, _object(line)))


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


def _values(kind: type[StepRecord | Summary | DomainResult], raw: Mapping[str, Any]) -> dict[str, Any]:
    expected = {item.name for item in fields(kind)}
    if raw.keys() != expected:
        missing, unknown = sorted(expected - raw.keys()), sorted(raw.keys() - expected)
        raise RecordError(f"{kind.__name__}: missing fields {missing}, unknown fields {unknown}")
    return {name: math.nan if value is None else value for name, value in raw.items()}


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return value
