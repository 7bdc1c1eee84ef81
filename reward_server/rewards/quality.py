"""How measures become one quality: what a text earns, times the worst of what it must not do.

`quality = Π merit_i ^ weight_i · min(soundness)`, the weights summing to 1. A geometric mean
and a minimum, never a sum: one maxed part cannot pay for a zero.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from reward_server.api import Grade, Verdict
from reward_server.rewards.text_words import words

# Nothing a trainer samples is longer, and every length band has ended by then. The measures
# stay within a few milliseconds up to here.
LONGEST_TEXT = 20_000
MOST_WORDS = 2_000


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


def grade_words(answer: str, measure: Callable[[list[str]], Measures]) -> Grade:
    """Grade an answer by its words, unless it has none or more than can be measured in time."""
    if len(answer) > LONGEST_TEXT:
        return _nothing(
            Verdict.QUALITY, f"the answer has {len(answer)} characters, {LONGEST_TEXT} are the most"
        )
    said = words(answer)
    if len(said) > MOST_WORDS:
        return _nothing(Verdict.QUALITY, f"the answer has {len(said)} words, {MOST_WORDS} are the most")
    if not said:
        return _nothing(Verdict.NO_ANSWER, "the answer has no words")
    return _combine(measure(said))


def _nothing(verdict: Verdict, explanation: str) -> Grade:
    return Grade(value=0.0, verdict=verdict, explanation=explanation, components={"length": 0.0})


def _combine(measures: Measures) -> Grade:
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
