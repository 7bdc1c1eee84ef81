"""`choice`: does the answer name the right option of a multiple-choice question?

How an answer is read is in `choice_reading`; here is what may be asked and what a
reading is worth. Labels are those of the reference ("A".."E" or "1".."5").
"""

from functools import lru_cache

from reward_server.api import ChoiceReference, CostClass, Grade, Measure, RewardInfo, Sample, Verdict
from reward_server.errors import BadReferenceError
from reward_server.rewards.choice_reading import Absent, Named, Options, Reading, Unclear, options_of
from reward_server.rewards.references import reference_of

_INFO = RewardInfo(
    name="choice",
    version="1.0.0",
    reference=ChoiceReference,
    measure=Measure.CORRECTNESS,
    cost_class=CostClass.INLINE,
)
# Siblings of a group share their question.
_PREPARED_QUESTIONS = 1024


class ChoiceReward:
    """Full marks for the right option, nothing otherwise."""

    def __init__(self) -> None:
        self._options = lru_cache(_PREPARED_QUESTIONS)(_prepared)

    @property
    def info(self) -> RewardInfo:
        return _INFO

    def grade(self, sample: Sample, answer: str) -> Grade:
        """Judge which option `answer` names.

        Raises:
            BadReferenceError: the options do not make a question.
        """
        reference = reference_of(sample, ChoiceReference)
        options = self._options(reference.labels, reference.texts)
        if reference.correct_label not in reference.labels:
            raise BadReferenceError(
                f"choice.correct_label: {reference.correct_label!r} is not one of {list(reference.labels)!r}"
            )
        return _grade(options.read(answer), reference.correct_label)


def _prepared(labels: tuple[str, ...], texts: tuple[str, ...]) -> Options:
    """Prepare the options of a question, refusing those that make none."""
    if len(labels) < 2:
        raise BadReferenceError(f"choice.labels: {list(labels)!r} has fewer than two labels")
    if len(labels) != len(texts):
        raise BadReferenceError(
            f"choice.texts: {len(texts)} texts for {len(labels)} labels, give one per label"
        )
    for name, values in (("labels", labels), ("texts", texts)):
        for place, value in enumerate(values):
            if not value.strip():
                raise BadReferenceError(f"choice.{name}[{place}]: {value!r} is empty")
    if len({label.casefold() for label in labels}) != len(labels):
        raise BadReferenceError(f"choice.labels: {list(labels)!r} are not unique (case does not count)")
    return options_of(labels, texts)


def _grade(reading: Reading, correct: str) -> Grade:
    match reading:
        case Named(labels=labels) if correct in labels:
            return Grade(value=1.0, verdict=Verdict.CORRECT, explanation=f"option {correct} is right")
        case Named(labels=labels):
            text = f"option {labels[0]} differs from {correct}"
            return Grade(value=0.0, verdict=Verdict.INCORRECT, explanation=text)
        case Unclear(reason=reason):
            return Grade(value=0.0, verdict=Verdict.INCORRECT, explanation=reason)
        case Absent():
            text = "the answer names no option: give a label or an option's text"
            return Grade(value=0.0, verdict=Verdict.NO_ANSWER, explanation=text)
