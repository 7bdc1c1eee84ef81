"""Quotients of polynomials: what most expressions with symbols are.

`a/b` and `c/d` are the same function if `ad = bc` as polynomials, and differ if not. That is a
proof, at the price of one expansion of each side in the place of eight evaluations. A term that
is no quotient itself (`\\sqrt{x}`, `\\pi`, `\\ln(x+1)`) stands for a symbol of its own, where the
gold has it: then equal polynomials are still a proof, and others say nothing.
"""

from collections.abc import Sequence
from itertools import chain
from typing import NamedTuple

from reward_server.rewards.math import exact
from reward_server.rewards.math.meter import Meter
from reward_server.rewards.math.tree import Apply, Node, Number, StrangeAnswerError, Symbol

# From a product of powers to its coefficient, which is not zero. The product is one number, with 16
# bits for the sum of all exponents and for the exponent of each symbol: a tree of 400 terms, each of
# 64 degrees at most, never carries over.
Polynomial = dict[int, int]
_FIELD = 16
_EXPONENT = (1 << _FIELD) - 1
_MOST_DEGREES = 64
_MOST_TERMS = 64
_MOST_BITS = 1024
_PRODUCTS_OF_ONE_STEP = 4
# What is more work than this leaves enough of a comparison's steps for samples.
_MOST_STEPS = 300
_ONE: Polynomial = {0: 1}
# Without arguments, or of one that is a quotient.
_TERMS = frozenset(("pi", "e", "sin", "cos", "tan", "cot", "sec", "csc", "ln", "abs"))


class Quotient(NamedTuple):
    above: Polynomial
    below: Polynomial


class _NoneOfThemError(Exception):
    """The expression is no quotient of polynomials, or too large a one."""


class Quotients:
    """A gold as a quotient, and answers as quotients in its symbols and terms."""

    def __init__(self, gold: Node, names: Sequence[str], meter: Meter) -> None:
        self._meter = meter
        self._keys: dict[object, int] = {}
        self._is_open = True
        for name in names:
            self._key(name)
        self._symbols = (1 << _FIELD * (1 + len(names))) - 1
        # Which fields the expression that is being read has terms in.
        self._fields: set[int] = set()
        self._steps = 0
        self._gold = self._read(gold)
        self._is_open = False

    def equal(self, answer: Node) -> bool | None:
        """Tell whether an answer is the gold; None if that takes other means.

        Raises:
            OverBudgetError: the meter has run out.
        """
        sides = self._crossed(answer)
        if sides is None:
            return None
        return sides[0] == sides[1] or (None if self._has_terms(*sides) else False)

    def proportional(self, answer: Node) -> bool | None:
        """Tell whether an answer is a constant multiple of the gold, none of them zero.

        Raises:
            OverBudgetError: the meter has run out.
        """
        sides = self._crossed(answer)
        if sides is None or not all(sides):
            return None
        one, other = sides
        key = next(iter(one))
        here, there = one[key], other.get(key, 0)
        same = one.keys() == other.keys() and all(one[key] * there == other[key] * here for key in one)
        return same or (None if self._has_terms(*sides) else False)

    def _crossed(self, answer: Node) -> tuple[Polynomial, Polynomial] | None:
        """Return both sides of `gold = answer` without their denominators."""
        one = self._gold
        other = None if one is None else self._read(answer)
        if one is None or other is None or one.below == other.below:
            return None if one is None or other is None else (one.above, other.above)
        try:
            return self._times(one.above, other.below), self._times(other.above, one.below)
        except _NoneOfThemError:
            return None

    def _read(self, node: Node) -> Quotient | None:
        self._steps = 0
        try:
            return self._whole(node)
        except (_NoneOfThemError, StrangeAnswerError):
            return None

    def _whole(self, node: Node) -> Quotient:
        """Read an expression of which no term cancels: `\\ln 0 - \\ln 0` is not zero."""
        outer, self._fields = self._fields, set()
        quotient = self._quotient(node)
        for field in self._fields:
            if not any(key >> field & _EXPONENT for key in chain(*quotient)):
                raise _NoneOfThemError
        self._fields = outer
        return quotient

    def _quotient(self, node: Node) -> Quotient:
        if isinstance(node, Number):
            return self._number(node)
        if isinstance(node, Symbol):
            return Quotient({self._keys[node.name]: 1}, _ONE)
        if not isinstance(node, Apply):
            raise _NoneOfThemError
        if node.head == "pow":
            return self._power(*node.args)
        if node.head in _TERMS:
            return self._term(node.head, *map(self._whole, node.args))
        if node.head not in ("add", "mul", "div", "neg"):
            raise _NoneOfThemError
        first, *others = map(self._quotient, node.args)
        if node.head == "neg":
            return Quotient({key: -factor for key, factor in first.above.items()}, first.below)
        for each in others:
            first = self._combined(node.head, first, each)
        return first

    def _number(self, number: Number) -> Quotient:
        above, below = number.value.numerator, number.value.denominator
        if max(above.bit_length(), below.bit_length()) > _MOST_BITS:
            raise _NoneOfThemError
        return Quotient({0: above} if above else {}, {0: below} if below != 1 else _ONE)

    def _power(self, base: Node, exponent: Node) -> Quotient:
        times = exact.rational(exponent, self._meter)
        if times is None:
            return self._term("pow", self._whole(base), self._whole(exponent))
        if times.denominator != 1:
            return self._term(times, self._whole(base))
        factor = self._quotient(base)
        degrees = max(key & _EXPONENT for key in chain(*factor))
        if abs(times) > _MOST_DEGREES or degrees * abs(times) > _MOST_DEGREES or not factor.above:
            raise _NoneOfThemError
        power = Quotient(_ONE, _ONE)
        for _ in range(abs(times.numerator)):
            power = self._combined("mul" if times > 0 else "div", power, factor)
        return power

    def _term(self, name: object, *parts: Quotient) -> Quotient:
        key = self._key((name, *(frozenset(half.items()) for part in parts for half in part)))
        self._fields.add(key.bit_length() - 1)
        return Quotient({key: 1}, _ONE)

    def _key(self, name: object) -> int:
        if name not in self._keys:
            if not self._is_open:
                raise _NoneOfThemError
            self._keys[name] = 1 | 1 << _FIELD * (1 + len(self._keys))
        return self._keys[name]

    def _has_terms(self, *polynomials: Polynomial) -> bool:
        return max(chain(*polynomials), default=0) > self._symbols

    def _combined(self, head: str, one: Quotient, other: Quotient) -> Quotient:
        (a, b), (c, d) = one, other
        if head == "mul":
            return Quotient(self._times(a, c), self._times(b, d))
        if head == "div":
            # A sum of terms may be zero though its polynomial is not, as in `\\sqrt{4} - 2`.
            if not c or (len(c) > 1 and self._has_terms(c)):
                raise _NoneOfThemError
            return Quotient(self._times(a, d), self._times(b, c))
        if b == d:
            return Quotient(self._plus(a, c), b)
        return Quotient(self._plus(self._times(a, d), self._times(c, b)), self._times(b, d))

    def _plus(self, one: Polynomial, other: Polynomial) -> Polynomial:
        total = dict(one)
        for key, factor in other.items():
            total[key] = total.get(key, 0) + factor
        return _checked(total)

    def _times(self, one: Polynomial, other: Polynomial) -> Polynomial:
        if one is _ONE or other is _ONE:
            return other if one is _ONE else one
        steps = 1 + len(one) * len(other) // _PRODUCTS_OF_ONE_STEP
        self._steps += steps
        if self._steps > _MOST_STEPS:
            raise _NoneOfThemError
        self._meter.spend(steps)
        total: Polynomial = {}
        for left, factor in one.items():
            for right, times in other.items():
                total[left + right] = total.get(left + right, 0) + factor * times
        return _checked(total)


def _checked(total: Polynomial) -> Polynomial:
    if 0 in total.values():
        total = {key: factor for key, factor in total.items() if factor}
    if len(total) > _MOST_TERMS or max(map(int.bit_length, total.values()), default=0) > _MOST_BITS:
        raise _NoneOfThemError
    return total
