"""`summary`: how close a summary is to the reference, if it is one and in its own words.

ROUGE-1 and ROUGE-L (F) against the reference and a length near the reference's are earned;
copying runs of the document, numbers and names that it does not have, repetition and word
salad are held against it. Formulas and
limits: `docs/graders.md`.
"""

from reward_server.api import CostClass, Grade, Measure, RewardInfo, Sample, TextReference
from reward_server.errors import BadReferenceError
from reward_server.rewards import text_statistics as statistics
from reward_server.rewards.faithfulness import faithful
from reward_server.rewards.quality import LONGEST_TEXT, Measures, Merit, grade_words
from reward_server.rewards.references import reference_of
from reward_server.rewards.rouge import rouge_1, rouge_l
from reward_server.rewards.scales import band, ramp
from reward_server.rewards.skeletons import grammar, skeleton_of, tokens_of
from reward_server.rewards.text_words import is_english, is_latin, words

_INFO = RewardInfo(
    name="summary",
    version="1.0.0",
    reference=TextReference,
    measure=Measure.QUALITY,
    cost_class=CostClass.INLINE,
)
# Characters of the document that are compared; the rest adds time and hardly evidence.
_LONGEST_SOURCE = 40_000
# A summary as long as its document is none; below this many words the document is too
# short to tell.
_SHORTEST_SOURCE = 40


class SummaryReward:
    """Judges the answer alone; the reasoning has no weight."""

    @property
    def info(self) -> RewardInfo:
        return _INFO

    def grade(self, sample: Sample, answer: str) -> Grade:
        """Measure `answer` against the reference summary and the document (the prompt if none is given).

        Raises:
            BadReferenceError: there is no reference summary.
        """
        reference = reference_of(sample, TextReference)
        wanted = words(reference.reference[:LONGEST_TEXT])
        if not wanted:
            raise BadReferenceError(
                f"text.reference: {reference.reference!r} has no words, summary needs them"
            )
        document = (reference.source or sample.prompt)[:_LONGEST_SOURCE]
        source = words(document)
        given = f"{document}\n{reference.reference[:LONGEST_TEXT]}"

        def measure(said: list[str]) -> Measures:
            return _measure(answer, said, wanted, source, faithful(answer, given, {*wanted, *source}))

        return grade_words(answer, measure)


def _measure(
    answer: str, said: list[str], wanted: list[str], source: list[str], faithfulness: float
) -> Measures:
    first, longest = rouge_1(said, wanted), rouge_l(said, wanted)
    english = is_english(wanted)
    runs = statistics.content_runs(said) if english else []
    return Measures(
        merits={
            "coverage": Merit(value=ramp((first + longest) / 2, zero=0.05, one=0.65), weight=0.7),
            "length": Merit(value=_length(said, wanted, source), weight=0.3),
        },
        soundness={
            "freshness": statistics.freshness(answer, said),
            "fluency": statistics.fluency(answer, said, runs, function_share=0.1) if english else 1.0,
            "grammar": grammar(skeleton_of(tokens_of(answer))) if english else 1.0,
            "faithful": faithfulness,
            "order": statistics.order(first, longest),
            "own_words": _own_words(said, wanted, source),
            "plain_text": statistics.plain_text(answer, said, latin=is_latin(wanted)),
        },
        shown={"rouge_1": first, "rouge_l": longest},
    )


def _length(said: list[str], wanted: list[str], source: list[str]) -> float:
    """Scale the length against the reference's (half to twice is full) and the document's (half is full)."""
    fresh = statistics.fresh_length(said, ())
    near = band(fresh, full_from=0.5 * len(wanted), full_to=2.0 * len(wanted), zero_at=4.0 * len(wanted))
    if len(source) < _SHORTEST_SOURCE:
        return near
    return min(near, ramp(len(said) / len(source), zero=1.0, one=0.5))


def _own_words(said: list[str], wanted: list[str], source: list[str]) -> float:
    """Scale what is copied from the document: 40 % of the 4-grams are free, or the reference's share."""
    free = max(0.4, statistics.copied_share(wanted, source))
    return max(0.1, ramp(statistics.copied_share(said, source), zero=free + 0.6, one=free))
