"""Does a summary name numbers and names that its document does not have?

What a document does not say and its summary does is the commonest kind of hallucination
(Maynez et al. 2020; entity precision in Nan et al. 2021). Only numbers and capitalised words
within a sentence are compared, by their characters: nothing here understands either.
"""

import re
from collections.abc import Collection
from dataclasses import dataclass

_NUMBER = re.compile(r"\d[\d,]*(?:\.\d+)?")
# Capitalised, and not the first word of a sentence, a line or a quotation.
_NAME = re.compile(r"[A-Z](?<=[a-z,;)] [A-Z])[a-z]{2,}")
_STEM = 4
_NAME_WEIGHT = 0.5
# With fewer mentions than these, each unsupported one costs a third.
_FEWEST_MENTIONS = 3
# Rounding keeps the first digits: 4,215,000 is 4.2 million.
_DIGITS_OF_ROUNDED = 2
_LEAST = 0.1


@dataclass(frozen=True, kw_only=True, slots=True)
class Mentions:
    """What a summary may mention: the digits of numbers, and the first letters of words."""

    numbers: frozenset[str]
    stems: frozenset[str]


def mentions_in(text: str, of_words: Collection[str]) -> Mentions:
    """Return what a text and its words (folded) mention."""
    return Mentions(
        numbers=frozenset(map(_digits, set(_NUMBER.findall(text)))),
        stems=frozenset(word[:_STEM] for word in of_words),
    )


def faithful(summary: str, given: Mentions) -> float:
    """Scale the share of numbers and names (at half weight) that stand in the document or reference."""
    numbers, names = _NUMBER.findall(summary), _NAME.findall(summary)
    if not numbers and not names:
        return 1.0
    invented = sum(not _stands_in(_digits(number), given.numbers) for number in numbers)
    unheard = sum(name[:_STEM].lower() not in given.stems for name in names)
    mentions = len(numbers) + _NAME_WEIGHT * len(names)
    return max(_LEAST, 1.0 - (invented + _NAME_WEIGHT * unheard) / max(_FEWEST_MENTIONS, mentions))


def _digits(number: str) -> str:
    """Return a number's digits without commas, point and closing zeros."""
    return number.replace(",", "").replace(".", "").rstrip("0") or "0"


def _stands_in(digits: str, known: Collection[str]) -> bool:
    if digits in known:
        return True
    return len(digits) >= _DIGITS_OF_ROUNDED and any(other.startswith(digits) for other in known)
