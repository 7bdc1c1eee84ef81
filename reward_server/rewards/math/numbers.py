"""Plain numbers with their units: the form of nearly every answer to a word problem.

Integers, decimals, thousands, fractions, money, percent, scientific notation and number
words, each followed by at most a unit. Anything else is left to the parser.
"""

import re
from dataclasses import dataclass
from fractions import Fraction

from reward_server.rewards.math.chinese import read_chinese
from reward_server.rewards.math.tokens import MAX_DIGITS
from reward_server.rewards.math.tree import Node, Number, TooLargeError
from reward_server.rewards.math.units import KNOWN, Unit, lookup, parse_unit
from reward_server.rewards.math.words import number_before_unit

MAX_EXPONENT = 10_000
_NUMBER = re.compile(
    r"""(?P<sign>[-+]?)\s*(?P<money>\\?\$|€|£|(?:USD|US\$|EUR|GBP)\ ?)?\s*(?P<minus>-?)
    (?P<whole>\d{1,3}(?:,\d{3})+(?!\d)|\d+)?(?P<fraction>\.\d+|\.(?!\d))?
    (?:/\s*(?P<below>\d+)|(?:[eE]|\s*(?:\*|x|\\times|\\cdot)\s*10\s*(?:\^|\*\*)\s*\{?\s*)(?P<exponent>[-+]?\d+)\}?)?
    (?P<rest>.*)""",
    re.VERBOSE | re.DOTALL | re.ASCII,
)
_WRAPPED_UNIT = re.compile(r"\\(?:text|textrm|mbox|mathrm|textbf|rm)\s*\{([^{}]*)\}")
_LARGE = {
    "thousand": 10**3,
    "million": 10**6,
    "billion": 10**9,
    "trillion": 10**12,
    "dozen": 12,
    "hundred": 100,
}
_MONEY = {"$": "$", "\\$": "$", "US$": "$", "USD": "$", "€": "€", "EUR": "€", "£": "£", "GBP": "£"}
_MOST_UNIT_CHARACTERS = 80
# What a percentage is of says nothing of it.
_SHARE_OF = re.compile(r"\s*(%|percent) of ([A-Za-z ]{2,60})")


@dataclass(frozen=True, kw_only=True, slots=True)
class Measured:
    """A value and its unit, if it has one."""

    node: Node
    unit: Unit | None = None


def read_number(text: str) -> Measured | None:
    """Read a number with at most a unit; None if the text is not of that form.

    Raises:
        TooLargeError: too many digits, or too large an exponent.
    """
    found = _NUMBER.match(text)
    assert found is not None  # every part is optional
    if found["whole"] is None and (found["fraction"] or ".") == ".":
        return _spelled(text) if text[:1].isalpha() else None
    value = _value(found)
    if value is None:
        return None
    rest = found["rest"]
    if not rest:
        node = value
        unit = None
    else:
        scaled = _scaled(value, rest)
        if scaled is None:
            return None
        node, unit = scaled
    if found["money"]:
        if unit is not None and unit.dimension:
            return _priced(node, _money(found["money"]), unit)
        unit = _money(found["money"])
    return Measured(node=node, unit=unit)


def _spelled(text: str) -> Measured | None:
    """Read `seven`, `seven apples`, `a dozen eggs`, `二十三`."""
    if not text.isascii() and (chinese := read_chinese(text)) is not None:
        return Measured(node=Number(chinese))
    found = number_before_unit(text)
    if found is None:
        return None
    value, rest = found
    unit = read_unit(rest) if rest else None
    return None if rest and unit is None else Measured(node=Number(value), unit=unit)


def _priced(node: Node, money: Unit, unit: Unit) -> Measured | None:
    """Read `$5 dollars` as money, `$5 per hour` as a price, and `$5 apples` as neither."""
    if unit == money:
        return Measured(node=node, unit=unit)
    if any(power > 0 for _, power in unit.dimension):
        return None
    dimension = tuple(sorted((*money.dimension, *unit.dimension)))
    return Measured(node=node, unit=Unit(dimension=dimension, scale=money.scale * unit.scale))


def read_thousands(text: str) -> Measured | None:
    """Read `70k` and `$1.5K`; None if the text is not of that form."""
    if text[-1:] not in ("k", "K"):
        return None
    found = read_number(text[:-1])
    if found is None or not text[-2:-1].isdigit() or not isinstance(found.node, Number):
        return None
    return Measured(node=Number(1000 * found.node.value), unit=found.unit)


def read_unit(text: str) -> Unit | None:
    """Read what follows a number as a unit; None if it is anything else."""
    if len(text) > _MOST_UNIT_CHARACTERS:
        return None
    text = (
        _WRAPPED_UNIT.sub(r" \1", text)
        .replace("^\\circ", "°")
        .replace("^{\\circ}", "°")
        .replace("\\degree", "°")
    )
    text = (
        text.replace("\\%", "%").replace("\\$", "$").replace("\\,", " ").replace("\\ ", " ").replace("~", " ")
    )
    if (share := _SHARE_OF.fullmatch(text)) and parse_unit(share[2]) is not None:
        text = share[1]
    return parse_unit(text.strip())


def _value(found: re.Match[str]) -> Number | None:
    sign, whole, fraction = found["sign"] + found["minus"], found["whole"] or "", found["fraction"] or ""
    if len(sign) > 1 or len(whole) + len(fraction) > MAX_DIGITS or len(found["below"] or "") > MAX_DIGITS:
        if len(sign) > 1:
            return None
        raise TooLargeError(f"more than {MAX_DIGITS} digits")
    digits = whole.replace(",", "") + fraction[1:]
    value = Fraction(int(digits), 10 ** max(len(fraction) - 1, 0))
    if found["exponent"]:
        exponent = found["exponent"]
        if len(exponent) > 6 or abs(int(exponent)) > MAX_EXPONENT:
            raise TooLargeError(f"an exponent over {MAX_EXPONENT}")
        value *= Fraction(10) ** int(exponent)
    if found["below"]:
        if not int(found["below"]):
            return None
        value /= int(found["below"])
    exact = bool(found["exponent"] or found["below"])
    decimals = 0 if exact else max(len(fraction) - 1, 0)
    return Number(-value if sign == "-" else value, decimals, len(digits.lstrip("0")))


def _scaled(value: Number, rest: str) -> tuple[Number, Unit | None] | None:
    """Read what follows a number: "million", a unit, or both."""
    words = rest.split(maxsplit=1)
    if words and rest[0].isspace() and words[0].lower() in _LARGE:
        value = Number(value.value * _LARGE[words[0].lower()])
        rest = f" {words[1]}" if len(words) > 1 else ""
    if not rest.strip():
        return value, None
    touching = not rest[0].isspace() and rest[0].isalpha()
    # `2x` is a product, `5m` could be one; `5km` and `5 m` are not.
    if touching and (len(rest) < 2 or lookup(rest) is None):
        return None
    if not touching and len(rest.strip()) == 1 and rest.strip() not in KNOWN:
        return None
    unit = read_unit(rest)
    return None if unit is None else (value, unit)


def _money(mark: str) -> Unit:
    dimension, scale = KNOWN[_MONEY[mark.rstrip()]]
    return Unit(dimension=((dimension, 1),), scale=scale)
