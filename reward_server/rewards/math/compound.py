"""Compound measures: `3 hours and 30 minutes`, `5 ft 6 in`, `5 dollars and 20 cents`.

Each part measures the same in a smaller unit, and is less than one of the unit before.
The value is in the unit of the first part.
"""

import re
from fractions import Fraction

from reward_server.rewards.math.numbers import Measured, read_unit
from reward_server.rewards.math.tree import Number
from reward_server.rewards.math.units import Unit

_PART = re.compile(
    r"\s*(?:,\s*)?(?:and\s+)?(\d{1,3}(?:,\d{3})+|\d{1,12}(?:\.\d{1,12})?)\s*"
    r"(\\(?:text|mathrm|textrm|mbox)\s*\{[A-Za-z. ]{1,40}\}|[A-Za-z]{1,20}\.?|''|'|\")",
    re.ASCII,
)
_WRAPPED_AND = re.compile(r"\\text\s*\{\s*and\s*\}")
_MOST_PARTS = 4


def read_compound(text: str) -> Measured | None:
    """Read two parts or more; None if the text is not of that form."""
    if not text[:1].isdigit() or (not text[-1:].isalpha() and text[-1:] not in ".}'\""):
        return None
    parts = _parts(_WRAPPED_AND.sub(" and ", text))
    if parts is None:
        return None
    total, unit = parts[0]
    before = unit
    for value, smaller in parts[1:]:
        fits = smaller.dimension == unit.dimension and smaller.scale < before.scale
        if not fits or value * smaller.scale >= before.scale:
            return None
        total += value * smaller.scale / unit.scale
        before = smaller
    return Measured(node=Number(total), unit=unit)


def _parts(text: str) -> list[tuple[Fraction, Unit]] | None:
    found: list[tuple[Fraction, Unit]] = []
    position = 0
    while position < len(text):
        part = _PART.match(text, position)
        unit = None if part is None else read_unit(part[2])
        if part is None or unit is None or len(unit.dimension) != 1 or len(found) == _MOST_PARTS:
            return None
        found.append((Fraction(part[1].replace(",", "")), unit))
        position = part.end()
    return found if len(found) > 1 else None
