"""Words of a text in any script, and the stems of those that carry content.

A word is a run of letters and digits (with their combining marks), case folded. Scripts
written without spaces are cut into pieces, so that lengths and n-grams mean something:
one word per Chinese or Japanese character, one per four characters of Thai, Lao, Khmer
and Burmese. On ASCII text the words are those of the `rouge-score` package.
"""

import re
from collections.abc import Iterable, Sequence

from reward_server.rewards.english import FUNCTION_WORDS, INSTRUCTION_WORDS

_UNSPACED = r"[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]"
_UNSPACED_IN_FOURS = r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff]{1,4}"
# Vowel signs and other marks that `\w` leaves out, which would cut Hindi words in two.
_MARKS = r"\u0300-\u036f\u0591-\u05c7\u064b-\u065f\u0900-\u0963\u0966-\u0dff"
_WORD = re.compile(rf"{_UNSPACED}|{_UNSPACED_IN_FOURS}|(?:(?!{_UNSPACED})[^\W_]|[{_MARKS}])+")
_ASCII_WORD = re.compile(r"[a-z0-9]+")
_FIRST_NON_LATIN = "\u0250"

_SMALL_WORDS = FUNCTION_WORDS | INSTRUCTION_WORDS
_STEM_LENGTH = 5


def words(text: str) -> list[str]:
    """Return the words of `text` in order."""
    folded = text.casefold()
    return (_ASCII_WORD if folded.isascii() else _WORD).findall(folded)


def stems(of_words: Iterable[str]) -> list[str]:
    """Return the first five characters of each content word: a cheap stem in any language."""
    return [word[:_STEM_LENGTH] for word in of_words if word not in FUNCTION_WORDS]


def topic_stems(prompt_words: Iterable[str]) -> frozenset[str]:
    """Return the stems of what a prompt is about, without its instruction words."""
    return frozenset(stems(word for word in prompt_words if word not in INSTRUCTION_WORDS))


def is_english(of_words: Sequence[str]) -> bool:
    """Tell whether a prompt or reference is English: a quarter of its words are small ones."""
    small = sum(map(_SMALL_WORDS.__contains__, of_words))
    return small >= max(1.0, 0.25 * len(of_words))


def is_latin(of_words: Sequence[str]) -> bool:
    """Tell whether nine words in ten start with a letter of the Latin script or a digit."""
    return len(of_words) - _non_latin(of_words) >= 0.9 * len(of_words)


def non_latin_share(of_words: Sequence[str]) -> float:
    """Return the share of words that start outside the Latin script."""
    return _non_latin(of_words) / max(1, len(of_words))


def _non_latin(of_words: Sequence[str]) -> int:
    if all(map(str.isascii, of_words)):
        return 0
    return sum(word[0] >= _FIRST_NON_LATIN for word in of_words)
