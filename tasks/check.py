"""Whether reference answers earn full marks: every row's demonstration, graded like any completion.

A row whose own reference answer is marked down teaches a policy that right is wrong; it
is better found before a run. Pure but for the one call to the grader.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from reward_client.api import Failure, Outcome, Sample, Score
from tasks.api import Example
from tasks.prompts import demonstration_text
from tasks.sample import to_sample

# Bound against hangs: the server bounds each sample itself.
_TIMEOUT_S = 3600.0
# A text judged on a scale cannot be expected at 1: below this, reference and reward disagree.
LEAST_QUALITY = 0.5


class Grader(Protocol):
    """The part of `reward_client.client.RewardClient` that the check uses."""

    def score(self, samples: Sequence[Sample], *, timeout_s: float) -> Sequence[Outcome]: ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """A row whose reference answer did not earn full marks, and why."""

    example_id: str
    why: str


@dataclass(frozen=True, kw_only=True, slots=True)
class DatasetCheck:
    """One line of the table. `mean` is of `Score.value` over graded rows, NaN where none is."""

    dataset: str
    rows: int
    ungraded: int
    mean: float
    findings: tuple[Finding, ...]


def check(grader: Grader, examples: Sequence[Example]) -> list[DatasetCheck]:
    """Grade every demonstration and gather what fell short, by dataset.

    Raises:
        reward_client.api.RewardClientError: the call could not be completed; nothing is known.
    """
    samples = [
        to_sample(
            example,
            demonstration_text(example.demonstration.reasoning, example.demonstration.answer),
            sample_id=example.example_id,
        )
        for example in examples
    ]
    outcomes = grader.score(samples, timeout_s=_TIMEOUT_S)
    graded = list(zip(examples, outcomes, strict=True))
    return [
        _dataset_check(name, [(e, o) for e, o in graded if e.dataset == name])
        for name in dict.fromkeys(example.dataset for example in examples)
    ]


def shortfall(outcome: Outcome) -> str | None:
    """Say why an outcome is not full marks, or None where it is.

    Full marks are a value of 1; for a reward on a scale, an open format gate and a
    quality of at least `LEAST_QUALITY`.
    """
    match outcome.result:
        case Failure(kind=kind, message=message):
            return f"not graded, {kind}: {message}"
        case Score(verdict="QUALITY", components=parts) as score:
            if parts["format"] == 1.0 and parts["quality"] >= LEAST_QUALITY:
                return None
            return f"quality {parts['quality']:.2f} is under {LEAST_QUALITY}: {score.explanation}"
        case score:
            if math.isclose(score.value, 1.0):
                return None
            return f"{score.verdict}, {score.value:.2f}: {score.explanation}"


def table(checks: Sequence[DatasetCheck], *, listed: int = 20) -> str:
    """Write the checks for a terminal: a line per dataset, then up to `listed` reasons of each.

    Rows that fell short for the same reason share a line.
    """
    lines = [f"{'dataset':<16}{'rows':>7}{'full marks':>12}{'ungraded':>10}{'mean':>7}"]
    for c in checks:
        full = c.rows - len(c.findings)
        lines.append(f"{c.dataset:<16}{c.rows:>7}{full:>12}{c.ungraded:>10}{c.mean:>7.3f}")
    for c in checks:
        rows_of: dict[str, list[str]] = {}
        for finding in c.findings:
            rows_of.setdefault(finding.why, []).append(finding.example_id)
        for why, rows in list(rows_of.items())[:listed]:
            others = f" and {len(rows) - 1} more" if len(rows) > 1 else ""
            lines.append(f"{rows[0]}{others}: {why}")
        if len(rows_of) > listed:
            lines.append(f"{c.dataset}: and {len(rows_of) - listed} more reasons")
    return "\n".join(lines)


def _dataset_check(name: str, graded: Sequence[tuple[Example, Outcome]]) -> DatasetCheck:
    values = [o.result.value for _, o in graded if isinstance(o.result, Score)]
    reasons = [(example, shortfall(outcome)) for example, outcome in graded]
    return DatasetCheck(
        dataset=name,
        rows=len(graded),
        ungraded=len(graded) - len(values),
        mean=math.fsum(values) / len(values) if values else math.nan,
        findings=tuple(Finding(example_id=e.example_id, why=why) for e, why in reasons if why is not None),
    )
