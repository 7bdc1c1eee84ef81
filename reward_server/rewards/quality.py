"""How measures become one quality: what a text earns, times the worst of what it must not do.

`quality = Π merit_i ^ weight_i · min(soundness)`, the weights summing to 1. A geometric mean
and a minimum, never a sum: one maxed part cannot pay for a zero.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from reward_server.api import Grade, Verdict

# Characters; nothing a trainer samples is longer, and the measures stay within a few milliseconds.
LONGEST_TEXT = 20_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Merit:
    """One part that a text earns: a value in [0, 1] and its share of the geometric mean."""

    value: float
    weight: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Measures:
    """All parts of one text. `shown` are reported without being counted."""

    merits: Mapping[str, Merit]
    soundness: Mapping[str, float]
    shown: Mapping[str, float] = field(default_factory=dict[str, float])


def quality_grade(measures: Measures) -> Grade:
    """Combine the parts into a grade, naming the weakest one."""
    earned = math.prod(merit.value**merit.weight for merit in measures.merits.values())
    value = min(1.0, earned * min(measures.soundness.values()))
    counted = {name: merit.value for name, merit in measures.merits.items()} | dict(measures.soundness)
    weakest = min(counted, key=counted.__getitem__)
    return Grade(
        value=value,
        verdict=Verdict.QUALITY,
        explanation=f"quality {value:.2f}, weakest part: {weakest} {counted[weakest]:.2f}",
        components=counted | dict(measures.shown),
    )


def no_words() -> Grade:
    """Return the grade of an answer without a single word."""
    return Grade(value=0.0, verdict=Verdict.NO_ANSWER, explanation="the answer has no words")


def too_long(answer: str) -> Grade:
    """Return the grade of an answer above `LONGEST_TEXT`."""
    text = f"the answer has {len(answer)} characters, more than {LONGEST_TEXT} earn nothing"
    return Grade(value=0.0, verdict=Verdict.QUALITY, explanation=text, components={"length": 0.0})
