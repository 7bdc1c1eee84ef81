"""The files of an evaluation, in one directory:

completions.jsonl   what the policy answered; written before grading, so that it is never lost
graded.jsonl        each completion with its score or failure; can be graded again
results.json        by domain and over all, with everything that fixes the numbers
samples.parquet     graded.jsonl as a flat table, a row a completion: for pandas, DuckDB and others
comparison.json     of `compare`: by metric and domain, and the prompts without a pair
flips.jsonl         of `compare`: prompts whose accuracy changed, with both sides' completions
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast

from evals.asking.completions import Sampling
from evals.comparing.compare import Comparison, Flip, Metric
from evals.errors import ResultsError
from evals.grade import Graded
from evals.json_lines import json_of
from evals.results import DomainSummary
from evals.samples import write_samples
from evals.statistics import Estimate, Interval
from reward_client.api import Failure, Outcome, Score
from tasks.api import Domain

COMPLETIONS_FILE = "completions.jsonl"
GRADED_FILE = "graded.jsonl"
RESULTS_FILE = "results.json"
SAMPLES_FILE = "samples.parquet"
COMPARISON_FILE = "comparison.json"
FLIPS_FILE = "flips.jsonl"


@dataclass(frozen=True, kw_only=True, slots=True)
class Results:
    """`results.json`. `prompt_hash`, `sampling` and `truncated` are None where the source does not say.

    `left_out` counts examples that were not asked, by why; `domains` ends with `all`.
    """

    source: str
    split: str
    prompt_hash: str | None
    sampling: Sampling | None
    reward_versions: Mapping[str, tuple[str, ...]]
    left_out: Mapping[str, int]
    truncated: int | None
    seconds: Mapping[str, float]
    domains: Mapping[str, DomainSummary]


def write_results(directory: Path, results: Results, graded: Sequence[Graded]) -> None:
    """Write `graded.jsonl`, `results.json` and `samples.parquet`."""
    with (directory / GRADED_FILE).open("w", encoding="utf-8") as lines:
        for item in graded:
            lines.write(json.dumps(_row(item)) + "\n")
    text = json.dumps(asdict(results), indent=2, ensure_ascii=False, allow_nan=False)
    (directory / RESULTS_FILE).write_text(text + "\n", encoding="utf-8")
    write_samples(directory / SAMPLES_FILE, graded)


def read_results(directory: Path) -> Results:
    """Read `results.json`.

    Raises:
        ResultsError: there is none, or it is of another form.
    """
    path = directory / RESULTS_FILE
    raw = _load(_text(path), str(path))
    try:
        return Results(
            source=raw["source"],
            split=raw["split"],
            prompt_hash=raw["prompt_hash"],
            sampling=Sampling(**raw["sampling"]) if raw["sampling"] is not None else None,
            reward_versions={name: tuple(listed) for name, listed in raw["reward_versions"].items()},
            left_out=raw["left_out"],
            truncated=raw["truncated"],
            seconds=raw["seconds"],
            domains={name: _summary(values) for name, values in raw["domains"].items()},
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ResultsError(f"{path} is of another form: {error!r}; evaluate again") from error


def read_graded(directory: Path) -> list[Graded]:
    """Read `graded.jsonl`.

    Raises:
        ResultsError: there is none, or a line is of another form.
    """
    path = directory / GRADED_FILE
    lines = _text(path).rstrip("\n").split("\n")
    return [_graded(line, f"{path}:{number}") for number, line in enumerate(lines, start=1)]


def write_comparison(
    directory: Path,
    compared: Mapping[Metric, Mapping[str, Comparison]],
    changed: Sequence[Flip],
    left_out: Mapping[str, int],
) -> None:
    """Write `comparison.json` and `flips.jsonl`; `left_out` counts the prompts without a pair."""
    directory.mkdir(parents=True, exist_ok=True)
    values = {
        metric.value: {name: {**asdict(row), "test": row.test.value} for name, row in rows.items()}
        for metric, rows in compared.items()
    } | {"left_out": dict(left_out)}
    text = json.dumps(values, indent=2, allow_nan=False)
    (directory / COMPARISON_FILE).write_text(text + "\n", encoding="utf-8")
    with (directory / FLIPS_FILE).open("w", encoding="utf-8") as lines:
        for flip in changed:
            row = {
                "example_id": flip.example_id,
                "domain": flip.domain,
                "before": flip.before,
                "after": flip.after,
                "completions_before": [_row(item) for item in flip.completions_before],
                "completions_after": [_row(item) for item in flip.completions_after],
            }
            lines.write(json.dumps(row) + "\n")


def _row(item: Graded) -> Mapping[str, object]:
    result = item.outcome.result
    return {
        "example_id": item.example_id,
        "dataset": item.dataset,
        "domain": item.domain.value,
        "reward": item.reward,
        "sample_index": item.sample_index,
        "prompt": item.prompt,
        "completion": item.completion,
        "score" if isinstance(result, Score) else "failure": asdict(result),
        "reward_version": item.outcome.reward_version,
        "cached": item.outcome.cached,
        "queue_ms": item.outcome.queue_ms,
        "grade_ms": item.outcome.grade_ms,
    }


def _graded(line: str, where: str) -> Graded:
    raw = _load(line, where)
    try:
        result = _score(raw["score"]) if "score" in raw else Failure(**raw["failure"])
        outcome = Outcome(
            sample_id=f"{raw['example_id']}#{raw['sample_index']}",
            result=result,
            **{name: raw[name] for name in ("reward_version", "cached", "queue_ms", "grade_ms")},
        )
        named = ("example_id", "dataset", "reward", "sample_index", "prompt", "completion")
        return Graded(outcome=outcome, domain=Domain(raw["domain"]), **{name: raw[name] for name in named})
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ResultsError(f"{where} is of another form: {error!r}; evaluate again") from error


def _score(raw: Mapping[str, Any]) -> Score:
    return Score(
        value=float(raw["value"]),
        components={name: float(value) for name, value in raw["components"].items()},
        verdict=raw["verdict"],
        explanation=raw["explanation"],
    )


def _summary(raw: Mapping[str, Any]) -> DomainSummary:
    return DomainSummary(
        prompts=raw["prompts"],
        completions=raw["completions"],
        ungraded=raw["ungraded"],
        reward=_estimate(raw["reward"]),
        format_rate=_estimate(raw["format_rate"]),
        accuracy=_estimate(raw["accuracy"]),
        accuracy_given_format=_estimate(raw["accuracy_given_format"]),
        pass_at={int(k): found for k, value in raw["pass_at"].items() if (found := _estimate(value))},
    )


def _estimate(raw: Mapping[str, Any] | None) -> Estimate | None:
    if raw is None:
        return None
    return Estimate(
        mean=raw["mean"],
        standard_error=raw["standard_error"],
        interval=Interval(*raw["interval"]),
        values=raw["values"],
        prompts=raw["prompts"],
    )


def _text(path: Path) -> str:
    if not path.is_file():
        raise ResultsError(f"no {path.name} in {str(path.parent)!r}: pass the directory of an evaluation")
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ResultsError(f"{str(path)!r} cannot be read: {error}; evaluate again") from error


def _load(text: str, where: str) -> Mapping[str, Any]:
    return cast(
        "Mapping[str, Any]", json_of(text, where, ResultsError)
    )  # other forms raise when they are read
