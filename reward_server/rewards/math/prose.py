"""Answers that are words: names, directions, dates, choices. Compared exactly, once folded.

Nothing is looked for inside a text: "odd" is not "odd function", and a name among other
words is not that name.
"""

import re

from reward_server.rewards.option_text import singular_key

_WRAPPED = re.compile(
    r"\\(?:text|textbf|textit|textrm|mbox|mathrm|operatorname|mathbf|textnormal)\s*\{([^{}]*)\}"
)
_SPACES = re.compile(r"\\[ ,;:!]|\\(?:quad|left|right)(?![a-z])|~")
_CLOCK = re.compile(r"(?<![A-Za-z])([AaPp])\.\s?[Mm](?:\.|(?![A-Za-z]))")
_ORDINAL = re.compile(r"\b(\d+)(?:st|nd|rd|th)\b", re.ASCII)
_ORDINAL_WORDS = """
first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth
"""
_SUFFIXES = {1: "st", 2: "nd", 3: "rd"}
_ORDINALS = {
    word: f"{place}{_SUFFIXES.get(place, 'th')}" for place, word in enumerate(_ORDINAL_WORDS.split(), start=1)
}
_MONTH_NAMES = """
january february march april may june july august september october november december
jan feb mar apr jun jul aug sep sept oct nov dec
"""
_MONTHS = frozenset(_MONTH_NAMES.split())
_HEDGES = frozenset(("maybe", "perhaps", "possibly", "probably"))
_LETTERS = re.compile(r"[^\W_]+")
_WORD = re.compile(r"[^\W\d_]{2,}")
_NOTATION = frozenset("\\^_=<>{}|*/+&")


def folded(text: str) -> str:
    """Return words without case, articles, punctuation, plural s and `\\text`.

    A single letter keeps its case: it may be the name of something. Among other words
    `4th` is 4, and a day goes after its month.
    """
    plain = _SPACES.sub(" ", without_points(_WRAPPED.sub(r" \1 ", text)))
    words = singular_key(plain).split()
    if len(words) == 1 and len(words[0]) == 1 and words[0].upper() in plain:
        # "A, C" names two, though "a" is an article.
        return " ".join(_LETTERS.findall(plain)) if " A" in f" {plain.lstrip('( ')}" else words[0].upper()
    words = [_ORDINALS.get(word, word) for word in words]
    if len(words) > 1:
        words = [_ORDINAL.sub(r"\1", word) for word in words]
        if len(words) == 2 and words[0].isdecimal() and words[1] in _MONTHS:
            words.reverse()
    return " ".join(words)


def is_words(text: str) -> bool:
    """Tell whether a text that is no mathematics can stand as words: some word, no notation, no hedge."""
    plain = _WRAPPED.sub(r" \1 ", text)
    words = _WORD.findall(plain)
    return bool(words) and _NOTATION.isdisjoint(plain) and _HEDGES.isdisjoint(map(str.lower, words))


def without_points(text: str) -> str:
    """Write `a.m.` and `p.m.` without their points."""
    return _CLOCK.sub(r"\1m", text) if "." in text else text
