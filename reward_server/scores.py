"""Puts a score together: the format gate, the raw grade, and the two weights.

Pure functions of values. `value = format_weight + task_weight * grade.value` when the
gate is open; 0 when it is shut or the completion is too long. Components stay raw, so
that accuracy and format rate can be computed from the same outcome.
"""

import hashlib
import math
from dataclasses import dataclass

from reward_server.api import Grade, Measure, Score, Verdict
from reward_server.errors import ConfigurationError, InvalidGradeError

MAX_COMPLETION_BYTES = 256 * 1024
FORMAT = "format"
DIVERSITY = "diversity"
_RESERVED = frozenset({FORMAT, DIVERSITY, *(measure.value for measure in Measure)})
# A UTF-8 code point is at most 4 bytes: shorter texts need not be encoded to be measured.
_SURELY_SHORT = MAX_COMPLETION_BYTES // 4


@dataclass(frozen=True, kw_only=True, slots=True)
class ScoringConfig:
    """How a score is put together; part of every reward's version."""

    format_weight: float = 0.2
    """What an open format gate is worth."""
    task_weight: float = 0.8
    """What full correctness or quality is worth; the two weights sum to 1."""
    diversity_weight: float = 0.0
    """The share of its quality that a copy of all its siblings loses (see `siblings`); 0 only reports."""

    def __post_init__(self) -> None:
        weights = (self.format_weight, self.task_weight)
        if not all(0.0 <= weight <= 1.0 for weight in weights) or not math.isclose(sum(weights), 1.0):
            raise ConfigurationError(
                f"scoring.format_weight={weights[0]!r} and scoring.task_weight={weights[1]!r} "
                "must be in [0, 1] and sum to 1"
            )
        if not 0.0 <= self.diversity_weight <= 1.0:
            raise ConfigurationError(f"scoring.diversity_weight={self.diversity_weight!r} must be in [0, 1]")

    def digest(self) -> str:
        """Hash everything here that can change a score."""
        return hashlib.sha256(repr(self).encode()).hexdigest()[:8]


def too_long(completion: str, measure: Measure) -> Score | None:
    """Say whether a completion is over the limit, and score it 0 if it is."""
    if len(completion) <= _SURELY_SHORT:
        return None
    size = len(completion.encode("utf-8", "surrogatepass"))
    if size <= MAX_COMPLETION_BYTES:
        return None
    explanation = f"the completion has {size} bytes of UTF-8, at most {MAX_COMPLETION_BYTES} are graded"
    return _zero(Verdict.TOO_LONG, explanation, measure)


def format_invalid(rule: str, measure: Measure) -> Score:
    """Score a completion whose gate is shut; `rule` says which rule it broke."""
    return _zero(Verdict.FORMAT_INVALID, rule, measure)


def from_grade(grade: Grade, measure: Measure, scoring: ScoringConfig) -> Score:
    """Score a completion whose gate is open.

    Raises:
        InvalidGradeError: the value or a component is outside [0, 1] or NaN, or the
            reward used a component name that belongs to the scorer.
    """
    _check("value", grade.value)
    for name, value in grade.components.items():
        _check(name, value)
        if name in _RESERVED:
            raise InvalidGradeError(f"the reward returned the reserved component {name!r}: rename it")
    return Score(
        value=min(1.0, scoring.format_weight + scoring.task_weight * grade.value),
        components={FORMAT: 1.0, measure.value: grade.value, **grade.components},
        verdict=grade.verdict,
        explanation=grade.explanation,
    )


def _check(name: str, value: float) -> None:
    if not 0.0 <= value <= 1.0:
        raise InvalidGradeError(f"the reward returned {name}={value!r}, outside [0, 1]: a defect in it")


def _zero(verdict: Verdict, explanation: str, measure: Measure) -> Score:
    return Score(
        value=0.0, components={FORMAT: 0.0, measure.value: 0.0}, verdict=verdict, explanation=explanation
    )
