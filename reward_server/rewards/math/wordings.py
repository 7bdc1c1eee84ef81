"""Answers that are words: names, sets of reals described in words, "no solution"."""

import re
from fractions import Fraction

from reward_server.rewards.math import prose
from reward_server.rewards.math.names import FUNCTIONS, NAMES
from reward_server.rewards.math.tree import (
    EMPTY,
    INFINITY,
    MINUS_INFINITY,
    REALS,
    Interval,
    Node,
    Number,
    Text,
)

# Longer runs of letters are words, not products of symbols.
MOST_SYMBOLS_IN_A_RUN = 3
_ZERO = Number(Fraction(0))
POSITIVE = Interval(_ZERO, INFINITY, low_closed=False, high_closed=False)
_NEGATIVE = Interval(MINUS_INFINITY, _ZERO, low_closed=False, high_closed=False)
_FROM_ZERO = Interval(_ZERO, INFINITY, low_closed=True, high_closed=False)
_UP_TO_ZERO = Interval(MINUS_INFINITY, _ZERO, low_closed=False, high_closed=True)
_SIGNS = {
    "": REALS, "positive": POSITIVE, "negative": _NEGATIVE, "non-negative": _FROM_ZERO,
    "nonnegative": _FROM_ZERO, "non-positive": _UP_TO_ZERO, "nonpositive": _UP_TO_ZERO,
}  # fmt: skip
_REALS = re.compile(
    r"(?:the set of )?(?:all (?:values of x|(?P<sign>[a-z-]*) ?real(?: numbers?|s| values?| x)?)"
    r"|(?P<bare>(?:non-?)?(?:posi|nega)tive) (?:real numbers|reals))"
)
_SYMBOLS = re.compile(r"(?:\\text\s*\{)?([A-Za-z][A-Za-z'.-]*(?:[ ,]+[A-Za-z'.-]+)*)\}?\.?")
# As `prose.folded` writes them.
_NO_SOLUTION = frozenset(
    f"{start}{what}{end}"
    for start in ("", "there are ", "there is ")
    for what in (
        "no solution",
        "no real solution",
        "no real root",
        "no such x",
        "no such number",
        "no such integer",
        "no such value",
        "no such pair",
        "no such function",
    )
    for end in ("", " exist", " exists")
) | {"empty set", "none"}
_OF_WORDS = frozenset("eio")
_ORDINAL = re.compile(r"\d{1,4}(?:st|nd|rd|th)", re.ASCII)


def read_words(text: str) -> Node | None:
    """Read plain words; a single letter is a symbol, and two letters are a product."""
    found = _SYMBOLS.fullmatch(text)
    if found is None:
        return Text(prose.folded(text)) if text[:1].isdigit() and _ORDINAL.fullmatch(text) else None
    words = found[1].rstrip(".")
    if described := _REALS.fullmatch(words.lower()):
        sign = described["sign"] or described["bare"] or ""
        if sign in _SIGNS:
            return _SIGNS[sign]
    if "\\text" not in text and (
        words in NAMES or words.partition(" ")[0] in FUNCTIONS or _is_letters(words)
    ):
        return None
    folded = prose.folded(words)
    return EMPTY if folded in _NO_SOLUTION else Text(folded)


def _is_letters(words: str) -> bool:
    """Tell letters from words: products of up to three (`abc`), differences (`a-b`), lists of both.

    Three letters with one of e, i and o are a word, such as "yes": else "dog" would be "god".
    """
    if len(words) == MOST_SYMBOLS_IN_A_RUN and words.isalpha():
        return _OF_WORDS.isdisjoint(words.lower())
    return all(len(word) <= 2 or word in ("and", "or") for word in re.split(r"[ ,-]+", words))
