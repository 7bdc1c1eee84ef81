"""The values of written numbers: decimals, mixed numbers, repeating decimals, other bases."""

from fractions import Fraction

from reward_server.rewards.math.tree import Node, Number, StrangeAnswerError, Text
from reward_server.rewards.math.words import number_from_words

_MAX_BASE = 36


def literal(text: str) -> Number:
    """Return the value of digits with at most one point."""
    whole, _, decimals = text.partition(".")
    digits = whole + decimals
    value = Fraction(int(digits), 10 ** len(decimals)) if decimals else Fraction(int(whole))
    return Number(value, len(decimals), len(digits.lstrip("0")))


def mixed(whole: Number, above: Number, below: Number) -> Number:
    """Return `whole above/below`."""
    if not below.value:
        raise StrangeAnswerError("a mixed number over zero")
    return Number(whole.value + above.value / below.value)


def repeating(start: Number, period: str) -> Number:
    """Return the value of a decimal whose period repeats for ever, as in `0.1\\overline{6}`."""
    if not period.isdecimal():
        raise StrangeAnswerError(f"a repeating decimal with period {period!r}")
    # 0.666... is 6/9, one place further right for each digit before the period.
    return Number(start.value + Fraction(int(period), (10 ** len(period) - 1) * 10**start.decimals))


def going_on(text: str) -> Number:
    """Return what a decimal and dots stand for: `0.1666` goes on with the block that it ends in twice.

    Without such a block it is what it shows, as in `3.14159`.
    """
    start, _, decimals = text.partition(".")
    for size in range(1, len(decimals) // 2 + 1):
        period = decimals[-size:]
        if decimals.endswith(2 * period):
            before = decimals[:-size]
            return repeating(Number(Fraction(f"{start or 0}.{before}"), len(before)), period)
    return literal(text)


def in_base(digits: str, base: int) -> Number:
    """Return the value of digits in a base from 2 to 36."""
    try:
        return Number(Fraction(int(digits, base)))
    except ValueError as error:
        raise StrangeAnswerError(f"{digits!r} is no number in base {base}") from error


def base_of(node: Node) -> int:
    """Return the base that a subscript names."""
    if isinstance(node, Text) and (spelled := number_from_words(node.words)) is not None:
        node = Number(spelled)
    if isinstance(node, Number) and node.value.denominator == 1 and 2 <= node.value <= _MAX_BASE:
        return int(node.value)
    raise StrangeAnswerError("a base that is no number from 2 to 36")
