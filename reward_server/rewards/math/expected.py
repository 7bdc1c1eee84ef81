"""What means something else where another kind of answer is asked for: `5 pm`, `70k`, `3,14`, `0.1(6)`."""

import re
from fractions import Fraction

from reward_server.rewards.math.clock import CLOCK, as_written, read_hour
from reward_server.rewards.math.commas import in_english
from reward_server.rewards.math.numbers import Measured, read_number, read_thousands
from reward_server.rewards.math.phrases import read_phrase
from reward_server.rewards.math.reading import read
from reward_server.rewards.math.scalars import is_endless
from reward_server.rewards.math.tree import Apply, Collection, Kind, Node, Number
from reward_server.rewards.math.units import Unit

_PERIOD = re.compile(r"(-?\d{0,20}\.\d{0,20})\((\d{1,20})\)", re.ASCII)


def read_as(node: Node, unit: Unit | None, text: str) -> Measured | None:
    """Read an answer as the kind of the reference has it; None if nothing of it depends on that.

    Raises:
        StrangeAnswerError: not of the subset.
    """
    if unit == CLOCK:
        return read_hour(text, node)
    if isinstance(node, Collection) and node.kind is Kind.RATIO and text[-1:] in "mM.}gGnNtT":
        return read(as_written(text, node.items[0]))
    if isinstance(node, Number) and (found := read_thousands(text) or _read_foreign(node, text)):
        return found
    if not isinstance(node, Number | Apply):
        return None
    return _read_period(node, text) or (read_phrase(text) if " " in text else None)


def _read_foreign(wanted: Number, text: str) -> Measured | None:
    foreign = wanted.value.denominator != 1 and ("," in text or "'" in text)
    english = in_english(text) if foreign else None
    return None if english is None else read_number(english)


def _read_period(wanted: Number | Apply, text: str) -> Measured | None:
    """Read `0.1(6)` where a fraction without an end is asked for; elsewhere it is a product."""
    value = _fraction(wanted) if text[-1:] == ")" else None
    found = _PERIOD.fullmatch(text) if value is not None and is_endless(value) else None
    return None if found is None else read(f"{found[1]}\\overline{{{found[2]}}}")


def _fraction(node: Number | Apply) -> Fraction | None:
    match node:
        case Number(value=value):
            return value
        case Apply(head="neg", args=(Number() | Apply() as part,)):
            value = _fraction(part)
            return None if value is None else -value
        case Apply(head="div", args=(Number(value=above), Number(value=below))) if below:
            return above / below
        case _:
            return None
