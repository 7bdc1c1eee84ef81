"""`ideation`: the quality of a set of ideas, as far as counting can tell.

As `writing`, and structure is earned too: several items, each unlike the others, none of
them most of the text. Formulas and limits: `docs/graders.md`.
"""

import re

from reward_server.api import CostClass, Grade, Measure, RewardInfo, Sample, TextReference
from reward_server.rewards import text_statistics as statistics
from reward_server.rewards.quality import LONGEST_TEXT, Measures, Merit, grade_words
from reward_server.rewards.references import reference_of
from reward_server.rewards.scales import band, ramp
from reward_server.rewards.skeletons import STOPS, grammar, skeleton_of, templates, tokens_of
from reward_server.rewards.stock import stock_length
from reward_server.rewards.text_words import is_english, is_latin, stems, topic_stems, words

_INFO = RewardInfo(
    name="ideation",
    version="1.0.0",
    reference=TextReference,
    measure=Measure.QUALITY,
    cost_class=CostClass.INLINE,
    compares_siblings=True,
    worker_task="texts",
)
# A bullet or a letter starts an item on a new line, a number also within one.
_ITEM_START = re.compile(r"(?:^|\n)[ \t]*(?:[-*+•–]|[a-zA-Z][.)])[ \t]+|(?:^|\s)\(?\d{1,2}[.):][ \t]+")  # noqa: RUF001 (a dash used as bullet)
_SENTENCE_END = re.compile(r"[.!?;。！？；।؟۔\n]+")  # noqa: RUF001 (stops of other scripts)
# Ideas beyond these are not needed and not compared.
_MOST_ITEMS = 40
_ENOUGH_ITEMS = 5
# Of two items, how much of the smaller one's content may stand in the other.
_MOST_OVERLAP = 0.6
# A list of names has no grammar and may still be what was asked for.
_LEAST_FLUENCY = 0.5


class IdeationReward:
    """Judges the answer alone; the reasoning has no weight."""

    @property
    def info(self) -> RewardInfo:
        return _INFO

    def grade(self, sample: Sample, answer: str) -> Grade:
        """Measure `answer` against `sample.prompt`; the reference text is not used.

        Raises:
            BadReferenceError: the reference is of another type.
        """
        reference_of(sample, TextReference)
        asked = words(sample.prompt[:LONGEST_TEXT])
        return grade_words(answer, lambda said: _measure(answer, said, asked))


def _measure(answer: str, said: list[str], asked: list[str]) -> Measures:
    topic, english = topic_stems(asked), is_english(asked)
    content, tokens = stems(said), tokens_of(answer) if english else []
    # The end of a line ends a run, so that a list of names is none.
    runs = statistics.content_runs([token for token in tokens if token not in STOPS])
    stock, skeleton = stock_length(tokens), skeleton_of(tokens)
    length = band(
        statistics.fresh_length(said, asked, runs) - stock - statistics.topic_repeats(content, topic),
        full_from=40,
        full_to=300,
        zero_at=1200,
    )
    fluency = statistics.fluency(answer, said, runs, function_share=0.08) if english else 1.0
    return Measures(
        merits={
            "length": Merit(value=length, weight=0.35),
            "structure": Merit(value=_structure(answer), weight=0.35),
            "relevance": Merit(value=statistics.relevance(content, topic), weight=0.15),
            "variety": Merit(value=statistics.variety(said), weight=0.15),
        },
        soundness={
            "freshness": statistics.freshness(answer, said),
            "fluency": max(_LEAST_FLUENCY, fluency),
            "grammar": grammar(skeleton),
            "substance": ramp(stock / len(said), zero=0.6, one=0.1),
            "templates": templates(skeleton, free=0.25),
            "own_words": ramp(statistics.copied_share(said, asked), zero=0.5, one=0.05),
            "not_stuffed": statistics.not_stuffed(content, topic),
            "plain_text": statistics.plain_text(answer, said, latin=is_latin(asked)),
        },
    )


def _structure(answer: str) -> float:
    """Scale the number of distinct ideas up to five; sentences count as ideas at four fifths."""
    listed = _ITEM_START.split(answer)[1:]
    items = listed if len(listed) > 1 else _SENTENCE_END.split(answer)
    item_words = [found for item in items[:_MOST_ITEMS] if (found := words(item))]
    if not item_words:
        return 0.0
    distinct = _distinct(item_words)
    largest = max(map(len, item_words)) / sum(map(len, item_words))
    even = ramp(largest, zero=1.2, one=0.6)
    return min(1.0, distinct / _ENOUGH_ITEMS) * even * (1.0 if len(listed) > 1 else 0.8)


def _distinct(item_words: list[list[str]]) -> int:
    """Count the items whose content is not mostly that of an earlier one."""
    kept: list[frozenset[str]] = []
    for found in item_words:
        content = frozenset(stems(found)) or frozenset(found)
        overlaps = (len(content & other) / min(len(content), len(other)) for other in kept)
        if all(overlap <= _MOST_OVERLAP for overlap in overlaps):
            kept.append(content)
    return len(kept)
