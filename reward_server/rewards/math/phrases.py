"""One number in several words, where one number is asked for; elsewhere `2 and 1/2` is a list.

`2 and 1/2 hours`, `2 and a half`, `an hour and a half`, `1 out of 6`, `one in six`, `3 over 5`.
"""

import re
from fractions import Fraction

from reward_server.rewards.math.numbers import Measured, read_number, read_unit
from reward_server.rewards.math.tree import Number

_WHOLE = r"(\d{1,12}|[a-z-]{3,20})"
_SHARE = re.compile(rf"{_WHOLE} (?:out of|in)(?: every)? {_WHOLE}", re.ASCII | re.IGNORECASE)
_OVER = re.compile(rf"(-?\d{{1,12}}|[a-z-]{{3,20}}) over {_WHOLE}", re.ASCII | re.IGNORECASE)
_AND_PART = re.compile(r"(\d{1,12}) and (?:(\d{1,6})/(\d{1,6})|a (half|third|quarter))(?![\w/])", re.ASCII)
_HALF_MORE = re.compile(r"(an?|\w{1,12}) ([A-Za-z]{3,20}) and a half", re.ASCII)
_PARTS = {"half": 2, "third": 3, "quarter": 4}


def read_phrase(text: str) -> Measured | None:
    """Read a phrase that is one number; None for anything else."""
    if found := _SHARE.fullmatch(text) or _OVER.fullmatch(text):
        return _quotient(found[1], found[2])
    if found := _HALF_MORE.fullmatch(text):
        count = "one" if found[1] in ("a", "an", "A", "An") else found[1]
        return _whole_and_part(f"{count} and a half {found[2]}") or read_number(
            f"{count} and a half {found[2]}"
        )
    return _whole_and_part(text)


def _quotient(above: str, below: str) -> Measured | None:
    parts = [read_number(each) for each in (above, below)]
    values = [each.node.value for each in parts if each and not each.unit and isinstance(each.node, Number)]
    whole = len(values) == len(parts) and all(value.denominator == 1 for value in values)
    return Measured(node=Number(values[0] / values[1])) if whole and values[1] else None


def _whole_and_part(text: str) -> Measured | None:
    found = _AND_PART.match(text)
    if found is None:
        return None
    above, below = (1, _PARTS[found[4]]) if found[4] else (int(found[2]), int(found[3]))
    rest = text[found.end() :]
    unit = read_unit(rest) if rest else None
    if not above < below or (rest and unit is None):
        return None
    return Measured(node=Number(int(found[1]) + Fraction(above, below)), unit=unit)
