"""Units: what they measure, and how many of the base unit one of them is.

A unit is optional when only one side has one. When both do, they must measure the same
thing, and the scale counts: 5 km is 5000 m and never 5 m. Nouns that are not in the
table ("apples") are units of their own kind.
"""

import re
from dataclasses import dataclass
from fractions import Fraction

from reward_server.rewards.math.words import NUMBER_WORDS

# dimension: {scale of the base unit: names}
_TABLE: dict[str, dict[str, str]] = {
    "length": {
        "1": "m meter metre", "1000": "km kilometer kilometre", "1/100": "cm centimeter centimetre",
        "1/1000": "mm millimeter millimetre", "0.3048": "ft foot feet '", "0.0254": "inch inches in \" ''",
        "0.9144": "yd yard", "1609.344": "mi mile",
    },
    "mass": {
        "1": "g gram gm", "1000": "kg kilogram kilo", "1/1000": "mg milligram", "453.59237": "lb lbs pound",
        "28.349523125": "oz ounce", "1000000": "ton tonne",
    },
    "time": {
        "1": "s sec second", "60": "min minute", "3600": "h hr hour", "86400": "day", "604800": "week",
    },
    "months": {"1": "month", "12": "year yr"},
    "volume": {
        "1": "l liter litre", "1/1000": "ml milliliter millilitre", "3.785411784": "gallon gal",
        "0.946352946": "quart qt", "0.473176473": "pint pt", "0.2365882365": "cup",
    },
    "dollar": {"1": "$ dollar usd buck", "1/100": "cent ¢ penny pennies"},
    "euro": {"1": "€ euro eur"},
    "pound sterling": {"1": "£ gbp"},
    "angle": {"1": "degree deg ° °c"},
    "fahrenheit": {"1": "°f"},
    "radians": {"1": "radian rad"},
    "before noon": {"1": "am a.m"},
    "after noon": {"1": "pm p.m"},
    "percent": {"1": "% percent percentage pct"},
}  # fmt: skip

# Words that say nothing about the kind of a number.
_FILLER_WORDS = """
in total altogether all each left more of the a an per long tall old away apart remaining only us worth
sq square cubic cu unit units
"""
# Words that make the text something other than a number and its unit.
_FORBIDDEN_WORDS = """
or and not no nor but maybe perhaps possibly probably is are was were isn wrong incorrect false than to if
etc approx ish circa ca nearly almost roundabout estimated estimate guess guessed likely presumably supposedly
apparently hopefully usually sometimes often minimum maximum max under above below beyond exceeding
within range unsure uncertain unclear unknown doubtful doubt invalid untrue instead rather but however
although though wait actually hmm whatever anything nothing everything anyone any some
either between plus minus times x something else never less fewer greater least most up about around
approximately roughly january february march april may june july august september october november
december repeating recurring unless any except without divided over point dozen sqrt pi
"""
_FILLERS = frozenset(_FILLER_WORDS.split())
_FORBIDDEN = frozenset(_FORBIDDEN_WORDS.split()) | NUMBER_WORDS
_MOST_WORDS = 6
# Less than this are symbols: 5/x is not five per x.
_SHORTEST_NOUN = 3
_WRITTEN_OUT = {"mph": "mile/hour", "kph": "km/hour", "kmh": "km/hour", "per cent": "percent"}
_COMPOUNDS = re.compile(r"\b(?:mph|kph|kmh|per cent)\b", re.IGNORECASE)
_TEMPERATURES = re.compile(r"(?:°|\bdegrees?) ?(c|f)(?:elsius|ahrenheit)?\b", re.IGNORECASE)
_PARTS = re.compile(r"([A-Za-z$€£¢%°.]+)(?:\^\{?(-?\d)\}?)?|/|\s+")
_POWERS = {"sq": 2, "square": 2, "squared": 2, "cubic": 3, "cu": 3, "cubed": 3}


@dataclass(frozen=True, kw_only=True, slots=True)
class Unit:
    """`dimension` is sorted (name, power) pairs; `scale` is in base units."""

    dimension: tuple[tuple[str, int], ...]
    scale: Fraction


def _names() -> dict[str, tuple[str, Fraction]]:
    return {
        name: (dimension, Fraction(scale))
        for dimension, scales in _TABLE.items()
        for scale, names in scales.items()
        for name in names.split()
    }


KNOWN = _names()

# After an expression, other words could be letters.
NO_UNIT_WORDS = frozenset(("unit", "units"))
# As in "square units", which are those of any area.
ANY_LENGTH = "unit of length"
NO_UNIT = Unit(dimension=(), scale=Fraction(1))
# What is not dollars.
OTHER_MONEY = (
    Unit(dimension=(("dollar", 1),), scale=Fraction(1, 100)),
    Unit(dimension=(("euro", 1),), scale=Fraction(1)),
    Unit(dimension=(("pound sterling", 1),), scale=Fraction(1)),
)
PERCENT = Unit(dimension=(("percent", 1),), scale=Fraction(1))
# The units written as one word, in singular and plural: no need to take them apart.
_ONE_WORD = {
    spelling: Unit(dimension=((dimension, 1),), scale=scale)
    for name, (dimension, scale) in KNOWN.items()
    for spelling in (name, f"{name}s")
}


def lookup(word: str) -> tuple[str, Fraction] | None:
    """Return dimension and scale of a known unit, in singular or plural."""
    folded = word if word in KNOWN else word.lower().rstrip(".")
    if folded in KNOWN:
        return KNOWN[folded]
    return KNOWN.get(folded[:-1]) if folded.endswith("s") else None


def singular(noun: str) -> str:
    """Return a noun without its plural ending, well enough to compare two."""
    folded = noun.lower().strip(".")
    if folded.endswith("ies"):
        return folded[:-3] + "y"
    return folded[:-1] if folded.endswith("s") and not folded.endswith("ss") else folded


def is_noun(word: str) -> bool:
    """Tell whether a word can be what is counted: no hedge, no number word, no symbol."""
    known = lookup(word) is not None or len(word) >= _SHORTEST_NOUN
    return known and word.lower().strip(".") not in _FORBIDDEN


def parse_unit(text: str) -> Unit | None:
    """Read a unit such as `km/h`, `square feet`, `cm^2`, `apples in total`; None if it is none."""
    if text in _ONE_WORD:
        return _ONE_WORD[text]
    text = _COMPOUNDS.sub(lambda found: _WRITTEN_OUT[found[0].lower()], text)
    words = _words(_TEMPERATURES.sub(lambda found: f"°{found[1].lower()}", text))
    if words is None or len(words) > _MOST_WORDS:
        return None
    powers: dict[str, int] = {}
    scale = Fraction(1)
    sign = 1
    pending = 1
    for word, exponent in words:
        if word in ("/", "per"):
            sign = -1
        elif word in ("squared", "cubed"):
            return None if not powers else _raised(powers, scale, _POWERS[word])
        elif word in _POWERS:
            pending = _POWERS[word]
        elif word in NO_UNIT_WORDS and pending * exponent > 1:
            powers[ANY_LENGTH] = pending * exponent
        elif word not in _FILLERS or (word == "in" and (exponent != 1 or len(words) == 1)):
            known = lookup(word)
            if known is None and len(word) < _SHORTEST_NOUN:
                return None
            dimension, size = known or (singular(word), Fraction(1))
            power = sign * pending * exponent
            powers[dimension] = powers.get(dimension, 0) + power
            scale *= size**power
            pending = 1
    return Unit(dimension=tuple(sorted(powers.items())), scale=scale) if powers else NO_UNIT


def _raised(powers: dict[str, int], scale: Fraction, exponent: int) -> Unit:
    raised = tuple(sorted((name, power * exponent) for name, power in powers.items()))
    return Unit(dimension=raised, scale=scale**exponent)


def _words(text: str) -> list[tuple[str, int]] | None:
    """Split into (word, exponent); None if anything but words, exponents and slashes is there."""
    found: list[tuple[str, int]] = []
    position = 0
    while position < len(text):
        part = _PARTS.match(text, position)
        if part is None:
            return None
        position = part.end()
        word = part[1] or part[0].strip()
        if word.lower().strip(".") in _FORBIDDEN:
            return None
        if word:
            found.append((word if word in KNOWN else word.lower(), int(part[2] or 1)))
    return found
