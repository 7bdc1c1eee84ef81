"""`writing`: the quality of a story, essay or reply, as far as counting can tell.

Length, relevance and variety are earned; repetition, moulds, stock sentences, echo of the prompt,
keyword stuffing, word salad and symbols are held against it. Formulas and limits: `docs/graders.md`.
"""

from reward_server.api import CostClass, Grade, Measure, RewardInfo, Sample, TextReference
from reward_server.rewards import text_statistics as statistics
from reward_server.rewards.quality import LONGEST_TEXT, Measures, Merit, grade_words
from reward_server.rewards.references import reference_of
from reward_server.rewards.scales import band, ramp
from reward_server.rewards.skeletons import grammar, skeleton_of, templates, tokens_of
from reward_server.rewards.stock import stock_length
from reward_server.rewards.text_words import is_english, is_latin, stems, topic_stems, words

_INFO = RewardInfo(
    name="writing",
    version="1.0.0",
    reference=TextReference,
    measure=Measure.QUALITY,
    cost_class=CostClass.INLINE,
    compares_siblings=True,
    worker_task="texts",
)


class WritingReward:
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
    runs = statistics.content_runs(said) if english else []
    content, tokens = stems(said), tokens_of(answer) if english else []
    stock, skeleton = stock_length(tokens), skeleton_of(tokens)
    length = band(
        statistics.fresh_length(said, asked, runs) - stock - statistics.topic_repeats(content, topic),
        full_from=80,
        full_to=400,
        zero_at=1600,
    )
    return Measures(
        merits={
            "length": Merit(value=length, weight=0.5),
            "relevance": Merit(value=statistics.relevance(content, topic), weight=0.2),
            "variety": Merit(value=statistics.variety(said), weight=0.3),
        },
        soundness={
            "freshness": statistics.freshness(answer, said),
            "fluency": statistics.fluency(answer, said, runs, function_share=0.2) if english else 1.0,
            "grammar": grammar(skeleton),
            "substance": ramp(stock / len(said), zero=0.6, one=0.1),
            "templates": templates(skeleton, free=0.1),
            "own_words": ramp(statistics.copied_share(said, asked), zero=0.5, one=0.05),
            "not_stuffed": statistics.not_stuffed(content, topic),
            "plain_text": statistics.plain_text(answer, said, latin=is_latin(asked)),
        },
    )
