"""`summary`: how close a summary is to the reference, if it is one and in its own words.

ROUGE-1 and ROUGE-L (F) against the reference and a length near the reference's are earned;
copying runs of the document, numbers and names that it does not have, repetition and word
salad are held against it. Formulas and
limits: `docs/graders.md`.
"""

from dataclasses import dataclass
from functools import lru_cache

from reward_server.api import CostClass, Grade, Measure, RewardInfo, Sample, TextReference
from reward_server.errors import BadReferenceError
from reward_server.rewards import text_statistics as statistics
from reward_server.rewards.faithfulness import Mentions, faithful, mentions_in
from reward_server.rewards.quality import LONGEST_TEXT, Measures, Merit, grade_words
from reward_server.rewards.references import reference_of
from reward_server.rewards.rouge import Rouge
from reward_server.rewards.scales import band, ramp
from reward_server.rewards.skeletons import grammar, skeleton_of, tokens_of
from reward_server.rewards.text_statistics import Run
from reward_server.rewards.text_words import is_english, is_latin, words

_INFO = RewardInfo(
    name="summary",
    version="1.0.0",
    reference=TextReference,
    measure=Measure.QUALITY,
    cost_class=CostClass.INLINE,
    worker_task="texts",
)
# Characters of the document that are compared; the rest adds time and hardly evidence.
_LONGEST_SOURCE = 40_000
# A summary as long as its document is none; below this many words the document is too
# short to tell.
_SHORTEST_SOURCE = 40
_FREE_SHARE = 0.4


# Siblings of a group share their reference; a document of 40,000 characters takes some 2 MB.
_READ_REFERENCES = 32


@dataclass(frozen=True, kw_only=True, slots=True)
class _Given:
    """A reference summary and its document, looked through once for all their candidates."""

    wanted: int
    source: list[str]
    rouge: Rouge
    mentions: Mentions
    copied_runs: set[Run]
    free_share: float
    english: bool
    latin: bool


class SummaryReward:
    """Judges the answer alone; the reasoning has no weight."""

    def __init__(self) -> None:
        self._read = lru_cache(_READ_REFERENCES)(_read)

    @property
    def info(self) -> RewardInfo:
        return _INFO

    def grade(self, sample: Sample, answer: str) -> Grade:
        """Measure `answer` against the reference summary and the document (the prompt if none is given).

        Raises:
            BadReferenceError: there is no reference summary.
        """
        reference = reference_of(sample, TextReference)
        document = (reference.source or sample.prompt)[:_LONGEST_SOURCE]
        given = self._read(reference.reference[:LONGEST_TEXT], document)
        if not given.wanted:
            raise BadReferenceError(
                f"text.reference: {reference.reference!r} has no words, summary needs them"
            )
        return grade_words(answer, lambda said: _measure(answer, said, given))


def _read(reference: str, document: str) -> _Given:
    wanted, source = words(reference), words(document)
    copied_runs = statistics.ngrams(source, statistics.COPIED_RUN)
    copied = statistics.copied_share(wanted, source, copied_runs) if wanted else 0.0
    return _Given(
        wanted=len(wanted),
        source=source,
        rouge=Rouge(wanted),
        mentions=mentions_in(f"{document}\n{reference}", {*wanted, *source}),
        copied_runs=copied_runs,
        free_share=max(_FREE_SHARE, copied),
        english=is_english(wanted),
        latin=is_latin(wanted),
    )


def _measure(answer: str, said: list[str], given: _Given) -> Measures:
    first, longest = given.rouge.rouge_1(said), given.rouge.rouge_l(said)
    runs = statistics.content_runs(said) if given.english else []
    return Measures(
        merits={
            "coverage": Merit(value=ramp((first + longest) / 2, zero=0.05, one=0.65), weight=0.7),
            "length": Merit(value=_length(said, given), weight=0.3),
        },
        soundness={
            "freshness": statistics.freshness(answer, said),
            "fluency": statistics.fluency(answer, said, runs, function_share=0.1) if given.english else 1.0,
            "grammar": grammar(skeleton_of(tokens_of(answer))) if given.english else 1.0,
            "faithful": faithful(answer, given.mentions),
            "order": statistics.order(first, longest),
            "own_words": _own_words(said, given),
            "plain_text": statistics.plain_text(answer, said, latin=given.latin),
        },
        shown={"rouge_1": first, "rouge_l": longest},
    )


def _length(said: list[str], given: _Given) -> float:
    """Scale the length against the reference's (half to twice is full) and the document's (half is full)."""
    fresh, wanted, source = statistics.fresh_length(said, ()), given.wanted, len(given.source)
    near = band(fresh, full_from=0.5 * wanted, full_to=2.0 * wanted, zero_at=4.0 * wanted)
    return near if source < _SHORTEST_SOURCE else min(near, ramp(len(said) / source, zero=1.0, one=0.5))


def _own_words(said: list[str], given: _Given) -> float:
    """Scale what is copied from the document: 40 % of the 4-grams are free, or the reference's share."""
    copied = statistics.copied_share(said, given.source, given.copied_runs)
    return max(0.1, ramp(copied, zero=given.free_share + 0.6, one=given.free_share))
