"""Exact rational evaluation of a tree, with every size predicted before it is computed.

A power, factorial or binomial names numbers far larger than itself; each is bounded by
the bit length of its result, so that `9^{9^9}` is refused rather than built.
"""

import math
from collections.abc import Iterator, Mapping
from fractions import Fraction
from types import MappingProxyType

from reward_server.rewards.math.meter import Meter
from reward_server.rewards.math.tree import (
    BINDERS,
    Apply,
    Node,
    Number,
    StrangeAnswerError,
    Symbol,
    TooLargeError,
)

# 10**10_000 has 33,220 bits.
MAX_BITS = 1 << 16
# 3000! has 30,336 bits.
MAX_FACTORIAL = 3_000
MAX_TERMS = 3_000
SERIES = ("sum", "product")
_MAX_ROOT = 64
_BITS_OF_A_POWER_IN_ONE_STEP = 256
# No symbol has a value here.
NOWHERE: Mapping[str, Fraction] = MappingProxyType({})


def rational(node: Node, meter: Meter, point: Mapping[str, Fraction] = NOWHERE) -> Fraction | None:
    """Return the value at a point if it can be had by rational steps alone, else None.

    Raises:
        OverBudgetError: the meter has run out.
        TooLargeError: a step's result would be over `MAX_BITS`.
        StrangeAnswerError: division by zero, or a function outside its domain.
    """
    if isinstance(node, Number):
        return node.value
    if isinstance(node, Symbol):
        return point.get(node.name)
    if not isinstance(node, Apply) or not node.args:
        return None
    if node.head in BINDERS:
        return _series(node, meter, point) if node.head in SERIES else None
    values: list[Fraction] = []
    for part in node.args:
        value = rational(part, meter, point)
        if value is None:
            return None
        values.append(value)
    return _applied(node.head, values, meter)


def terms(
    node: Apply, meter: Meter, point: Mapping[str, Fraction]
) -> Iterator[Mapping[str, Fraction]] | None:
    """Return the points at which the body of a sum or product stands; None if its bounds are no integers.

    Raises:
        TooLargeError: more than `MAX_TERMS` of them.
    """
    _, name, *bounds = node.args
    low, high = (rational(bound, meter, point) for bound in bounds)
    if low is None or high is None or low.denominator != 1 or high.denominator != 1:
        return None
    if high - low > MAX_TERMS:
        raise TooLargeError(f"more than {MAX_TERMS} terms")
    assert isinstance(name, Symbol)
    return ({**point, name.name: Fraction(index)} for index in range(int(low), int(high) + 1))


def _series(node: Apply, meter: Meter, point: Mapping[str, Fraction]) -> Fraction | None:
    total = Fraction(0 if node.head == "sum" else 1)
    for place in terms(node, meter, point) or (None,):
        value = None if place is None else rational(node.args[0], meter, place)
        if value is None:
            return None
        total = _combined("add" if node.head == "sum" else "mul", [total, value], meter)
    return total


def _power(base: Fraction, exponent: Fraction, meter: Meter) -> Fraction | None:
    """Return base**exponent if rational. An odd root of a negative number is the real one.

    Raises:
        OverBudgetError: the meter has run out.
        TooLargeError: the result would be over `MAX_BITS`.
        StrangeAnswerError: zero to a negative power.
    """
    if not base:
        if exponent < 0:
            raise StrangeAnswerError("zero to a negative power")
        return Fraction(1 if exponent == 0 else 0)
    size = _size(base) - 1
    if size * abs(exponent) > MAX_BITS:
        raise TooLargeError("a power with too many digits")
    meter.spend(2 + int(size * abs(exponent)) // _BITS_OF_A_POWER_IN_ONE_STEP)
    root = base if exponent.denominator == 1 else _root(base, exponent.denominator, meter)
    # A base of 1 or -1 has size 0, whatever the exponent.
    times = exponent.numerator if size else exponent.numerator % 2
    return None if root is None else root**times


def _root(value: Fraction, degree: int, meter: Meter) -> Fraction | None:
    if degree > _MAX_ROOT or (value < 0 and degree % 2 == 0):
        return None
    meter.spend_on_bits(_size(value), times=degree)
    above = _integer_root(abs(value.numerator), degree)
    below = _integer_root(value.denominator, degree)
    if above is None or below is None:
        return None
    return Fraction(above if value > 0 else -above, below)


def _integer_root(value: int, degree: int) -> int | None:
    if degree == 2:
        root = math.isqrt(value)
    else:
        # Newton's method from above on integers.
        root = 1 << -(-value.bit_length() // degree)
        while (lower := ((degree - 1) * root + value // root ** (degree - 1)) // degree) < root:
            root = lower
    return root if root**degree == value else None


def _bounded(value: Fraction | None) -> Fraction | None:
    if value is not None and _size(value) > MAX_BITS:
        raise TooLargeError("a number with too many digits")
    return value


def _applied(head: str, values: list[Fraction], meter: Meter) -> Fraction | None:
    match head, values:
        case (("add" | "mul"), _):
            return _combined(head, values, meter)
        case "div", [above, below]:
            if not below:
                raise StrangeAnswerError("division by zero")
            meter.spend_on_bits(_size(above) + _size(below))
            return _bounded(above / below)
        case "pow", [base, exponent]:
            return _power(base, exponent, meter)
        case "neg", [value]:
            return -value
        case "conjugate", [value]:
            return value
        case "degrees", [value]:
            return value  # an angle in degrees equals its bare number
        case "percent", [value]:
            return value / 100
        case _:
            return _bounded(_function(head, values, meter))


def _combined(head: str, values: list[Fraction], meter: Meter) -> Fraction:
    total, *others = values
    size = _size(total)
    for value in others:
        meter.spend_on_bits(size + _size(value))
        total = total + value if head == "add" else total * value
        size = _size(total)
        if size > MAX_BITS:
            raise TooLargeError("a number with too many digits")
    return total


def _size(value: Fraction) -> int:
    return max(value.numerator.bit_length(), value.denominator.bit_length())


def _function(head: str, values: list[Fraction], meter: Meter) -> Fraction | None:
    match head, values:
        case "max", _:
            return max(values)
        case "min", _:
            return min(values)
        case "abs", [value]:
            return abs(value)
        case "floor", [value]:
            return Fraction(math.floor(value))
        case "ceil", [value]:
            return Fraction(math.ceil(value))
        case "log", [value, base]:
            return _logarithm(value, base, meter)
        case "factorial" | "binomial" | "gcd" | "lcm", _:
            return _of_integers(head, values, meter)
        case _:
            return None


def _of_integers(head: str, values: list[Fraction], meter: Meter) -> Fraction:
    if any(value.denominator != 1 for value in values):
        raise StrangeAnswerError(f"{head} of a fraction")
    numbers = [int(value) for value in values]
    if head in ("gcd", "lcm"):
        meter.spend_on_bits(sum(map(_size, values)))
        return Fraction(math.gcd(*numbers) if head == "gcd" else math.lcm(*numbers))
    if any(number < 0 for number in numbers):
        raise StrangeAnswerError(f"{head} of a negative number")
    if max(numbers) > MAX_FACTORIAL:
        raise TooLargeError(f"{head} of a number over {MAX_FACTORIAL}")
    meter.spend(1 + max(numbers) // 16)
    return Fraction(math.factorial(*numbers) if head == "factorial" else math.comb(*numbers))


def _logarithm(value: Fraction, base: Fraction, meter: Meter) -> Fraction | None:
    """Return log_base(value) where it is an integer, found by size and then checked exactly."""
    if value <= 0 or base <= 0 or base == 1:
        raise StrangeAnswerError("a logarithm outside its domain")
    guess = round((_log2(value)) / _log2(base))
    return Fraction(guess) if _power(base, Fraction(guess), meter) == value else None


def _log2(value: Fraction) -> float:
    return math.log2(value.numerator) - math.log2(value.denominator)
