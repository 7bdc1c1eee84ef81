"""Numbers written as words: "twenty-five", "one hundred and five", "three quarters", "a dozen"."""

from fractions import Fraction

_SMALL_WORDS = """
zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen
seventeen eighteen nineteen
"""
_TENS_WORDS = "twenty thirty forty fifty sixty seventy eighty ninety"
_SMALL = {word: value for value, word in enumerate(_SMALL_WORDS.split())}
_TENS = {word: 10 * value for value, word in enumerate(_TENS_WORDS.split(), start=2)}
_LARGE = {"thousand": 10**3, "million": 10**6, "billion": 10**9, "trillion": 10**12}
_PARTS = {
    "half": 2, "halve": 2, "third": 3, "quarter": 4, "fourth": 4, "fifth": 5, "sixth": 6, "seventh": 7,
    "eighth": 8, "ninth": 9, "tenth": 10, "eleventh": 11, "twelfth": 12, "thirteenth": 13, "fourteenth": 14,
    "fifteenth": 15, "sixteenth": 16, "seventeenth": 17, "eighteenth": 18, "nineteenth": 19, "twentieth": 20,
    "thirtieth": 30, "fortieth": 40, "fiftieth": 50, "sixtieth": 60, "seventieth": 70, "eightieth": 80,
    "ninetieth": 90, "hundredth": 100, "thousandth": 1000,
}  # fmt: skip
_ROUND = frozenset((*_LARGE, "hundred"))
# Up to here "three fourth" is taken for three fourths.
_MOST_LOOSE = 10
_MOST_WORDS = 12
# What no unit is called: "seven eight" is no seven. A quarter may be a coin.
_PART_WORDS = frozenset((*_PARTS, *(f"{part}s" for part in _PARTS)))
_ORDINALS = _PART_WORDS - {"quarter", "quarters"}
_FIRST_WORDS = _PART_WORDS | {*_SMALL, *_TENS, "minus", "negative", "a", "dozen", "dozens"}
NUMBER_WORDS = frozenset((*_SMALL, *_TENS, *_LARGE, "hundred")) | _ORDINALS


def number_before_unit(text: str) -> tuple[Fraction, str] | None:
    """Return the number that the first words spell, as many as do, and what follows them."""
    words = text.split()
    first = words[0].lower().lstrip("-").partition("-")[0] if words else ""
    if len(words) > _MOST_WORDS or first not in _FIRST_WORDS:
        return None
    for count in range(len(words), 0, -1):
        value = number_from_words(" ".join(words[:count]))
        if value is not None:
            return value, " ".join(words[count:])
    return None


def number_from_words(text: str) -> Fraction | None:
    """Return the number that the whole text spells, else None."""
    words = text.lower().replace("-", " ").split()
    if not 0 < len(words) <= _MOST_WORDS:
        return None
    sign = 1
    if words[0] in ("minus", "negative"):
        sign, words = -1, words[1:]
    value = _dozens(words) or _part(words) or _whole_and_part(words)
    if value is None:
        whole = _integer(words)
        value = None if whole is None else Fraction(whole)
    return None if value is None else sign * value


def _dozens(words: list[str]) -> Fraction | None:
    if not words or words[-1] not in ("dozen", "dozens"):
        return None
    count = 1 if words[:-1] in ([], ["a"], ["one"]) else _integer(words[:-1])
    return None if count is None else Fraction(12 * count)


def _part(words: list[str]) -> Fraction | None:
    """Read "one half", "three quarters", "a third", "half"."""
    if not words:
        return None
    below = _PARTS.get(words[-1]) or _PARTS.get(words[-1].removesuffix("s"))
    if below is None:
        return None
    if words[:-1] in ([], ["a"], ["one"]):
        return Fraction(1, below)
    # "Twenty-fifth" and "one hundred fifth" are places in a row; "two hundred thousandths" is two things.
    is_round = words[-2] in _TENS or words[-2] in _ROUND
    is_place = words[-1] in _PARTS and (below > _MOST_LOOSE or is_round)
    above = None if is_place or (is_round and below >= _PARTS["hundredth"]) else _integer(words[:-1])
    return None if above is None else Fraction(above, below)


def _whole_and_part(words: list[str]) -> Fraction | None:
    """Read "two and a half"; "two and half" and "two and two thirds", too."""
    if "and" not in words:
        return None
    place = len(words) - 1 - words[::-1].index("and")
    whole, part = _integer(words[:place]), _part(words[place + 1 :])
    return None if whole is None or part is None or part >= 1 else whole + part


def _integer(words: list[str]) -> int | None:
    """Add up groups of "…hundred and …" before each of thousand, million and so on, which must fall."""
    total, group, last_large = 0, 0, 10**15
    room = 1000  # what the next word of the group must stay below
    seen = False
    for word in words:
        if word == "and" and seen:
            continue
        value = _SMALL.get(word, _TENS.get(word))
        if value is not None and value < room:
            group += value
            room = 10 if value >= 20 else 1
            seen = True
        elif word == "hundred" and 0 < group < 100:
            group *= 100
            room = 100
        elif word in _LARGE and group and _LARGE[word] < last_large:
            last_large = _LARGE[word]
            total, group, room = total + group * last_large, 0, 1000
        else:
            return None
    return total + group if seen else None
