"""`boolean`: is the answer's yes or no the right one?

The first word of the field must be yes, no, true or false, and every later one must agree
with it. Whole words only ("know" is no "no"); a later "not" turns the word after it round, so
that "No, that is not true" agrees with itself. "Not true" and "yes?" are neither yes nor no.
A "no" that belongs to a noun is no answer: "Yes, there were no survivors".
"""

import re
from itertools import pairwise

from reward_server.api import BooleanReference, CostClass, Grade, Measure, RewardInfo, Sample, Verdict
from reward_server.rewards.folding import plain
from reward_server.rewards.references import reference_of
from reward_server.rewards.wrapping import LONGEST_ANSWER, MOST_INVISIBLE, candidates

_INFO = RewardInfo(
    name="boolean",
    version="1.0.0",
    reference=BooleanReference,
    measure=Measure.CORRECTNESS,
    cost_class=CostClass.INLINE,
)
_MEANING = {"yes": True, "true": True, "no": False, "false": False}
_WORD = re.compile(r"[^\W_]+(?:'[^\W_]+)*")
# "No one knows" answers nothing; "No. One of them is older" does.
_NO_QUANTIFIES = re.compile(
    r"\bno[ -]+(?:one|idea|doubt|clue|answer|matter|longer|less|more|problem)\b"
    r"|\b(?:is|are|was|were|be|has|have|had|with|of|in) no "
    r"(?=\w)(?!(?:because|since|as|but|and|or|wait|not|if|so|it|yes|no|actually)\b)",
    re.IGNORECASE,
)
_QUANTIFIED = " none "


class BooleanReward:
    """Full marks for the right one of yes and no, nothing otherwise."""

    @property
    def info(self) -> RewardInfo:
        return _INFO

    def grade(self, sample: Sample, answer: str) -> Grade:
        """Judge the yes or no that `answer` starts with."""
        wanted = reference_of(sample, BooleanReference).value
        words = _answer_words(answer)
        if words is None:
            text = f"the answer starts with neither yes nor no, or has more than {LONGEST_ANSWER} characters"
            return Grade(value=0.0, verdict=Verdict.NO_ANSWER, explanation=text)
        return _grade(words, wanted)


def _answer_words(answer: str) -> list[str] | None:
    """Return the field's words from its yes or no on ("not" may come first), or None."""
    if len(answer) > LONGEST_ANSWER + MOST_INVISIBLE or len(text := plain(answer)) > LONGEST_ANSWER:
        return None
    for layer in candidates(text):
        words = _WORD.findall(_NO_QUANTIFIES.sub(_QUANTIFIED, layer).casefold())
        start = words[1:2] if words[:1] == ["not"] else words[:1]
        if start and start[0] in _MEANING and not _is_asked(layer):
            return words
    return None


def _is_asked(text: str) -> bool:
    """Tell whether a question mark follows the first word."""
    first = _WORD.search(text)
    return first is not None and text[first.end() :].lstrip("*_`'\" ").startswith("?")


def _grade(words: list[str], wanted: bool) -> Grade:
    if words[0] == "not":
        text = f"'not {words[1]}' is not a yes or a no"
        return Grade(value=0.0, verdict=Verdict.INCORRECT, explanation=text)
    said = _MEANING[words[0]]
    meanings = (_MEANING[word] != (before == "not") for before, word in pairwise(words) if word in _MEANING)
    if any(meaning != said for meaning in meanings) or (said and words[-1] == "not"):
        text = f"the answer starts with {words[0]!r} and takes it back later"
        return Grade(value=0.0, verdict=Verdict.INCORRECT, explanation=text)
    if said == wanted:
        return Grade(value=1.0, verdict=Verdict.CORRECT, explanation=f"{words[0]!r} is right")
    right = "yes" if wanted else "no"
    return Grade(value=0.0, verdict=Verdict.INCORRECT, explanation=f"{words[0]!r} differs from {right!r}")
