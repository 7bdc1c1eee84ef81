"""Evaluation of a tree to about 100 digits, at fixed points when it has free symbols.

One clear disagreement proves two expressions different. Agreement to 80 digits at
enough points is taken as equality (Schwartz and Zippel's argument for polynomials;
for the rest no counter-example of this size is known to be written by accident).

The domain is the reals: a point at which only one side is real says nothing, so that
`ln x^2` and `2 ln x` agree, while `sqrt(x^2)` and `x` differ. `i` makes it complex.
"""

from collections.abc import Mapping, Sequence
from enum import Enum
from fractions import Fraction
from typing import Any

from mpmath.ctx_mp import MPContext  # pyright: ignore[reportMissingTypeStubs, reportUnknownVariableType]

from reward_server.rewards.math import exact
from reward_server.rewards.math.points import points
from reward_server.rewards.math.tree import (
    Apply,
    Node,
    Number,
    StrangeAnswerError,
    Symbol,
    TooLargeError,
    has_head,
)

BITS = 350
ENOUGH_POINTS = 3
# Base-2 magnitudes, relative to the larger side: below, equal; above, different.
_EQUAL_BELOW = -260
_DIFFERENT_ABOVE = -200
# A value between these is small by nature, below the second by rounding.
_TINY = -100
_ROUNDING = -300
# Beyond these, a step costs time or memory out of proportion.
_MAX_MAGNITUDE = 1 << 17
_MAX_ARGUMENT_MAGNITUDE = 512

# mpmath has no type stubs; its numbers are `Any` inside this module only.
Value = Any


class Match(Enum):
    """What is known of two values."""

    EQUAL = "equal"
    DIFFERENT = "different"
    UNKNOWN = "unknown"


class UndefinedError(StrangeAnswerError):
    """No value at this point: a pole, or outside a function's domain."""


# Their names in this package and in mpmath agree.
_ELEMENTARY = frozenset(
    ("sin", "cos", "tan", "cot", "sec", "csc", "asin", "acos", "atan", "sinh", "cosh", "tanh", "ln")
)


class Sampler:
    """Evaluates trees in its own arithmetic context, so that nothing global is set."""

    def __init__(self) -> None:
        context: Any = MPContext()
        context.prec = BITS
        self._mp = context

    def compare(self, gold: Node, answer: Node, names: Sequence[str]) -> Match:
        """Compare two scalars at points for the free symbols `names`.

        Raises:
            TooLargeError: a value is over the limits.
            StrangeAnswerError: a constant without a value.
        """
        if not names:
            return self._close(self.value(gold, {}), self.value(answer, {}))
        complex_too = has_head(gold, "i") or has_head(answer, "i")
        agreeing = 0
        for point in points(names):
            match self._at(gold, answer, point, complex_too=complex_too):
                case Match.EQUAL:
                    agreeing += 1
                case Match.DIFFERENT:
                    return Match.DIFFERENT
                case Match.UNKNOWN:
                    pass
        return Match.EQUAL if agreeing >= ENOUGH_POINTS else Match.UNKNOWN

    def proportional(self, gold: Node, answer: Node, names: Sequence[str]) -> Match:
        """Tell whether one is a constant multiple of the other.

        Never DIFFERENT: other pairs can have the same zeros, too.
        """
        first: Value = None
        agreeing = 0
        for point in points(names):
            ratio = self._ratio(gold, answer, point)
            if ratio is None:
                continue
            if first is not None and not self._same(first, ratio):
                return Match.UNKNOWN
            first = ratio
            agreeing += 1
        return Match.EQUAL if agreeing >= ENOUGH_POINTS else Match.UNKNOWN

    def _ratio(self, gold: Node, answer: Node, point: Mapping[str, Fraction]) -> Value | None:
        """Return `answer / gold` at a point, as a fraction if it is one; None where it has no value."""
        try:
            below = exact.rational(gold, point)
            above = None if below is None else exact.rational(answer, point)
            if above is None or below is None:
                below, above = self.value(gold, point), self.value(answer, point)
        except StrangeAnswerError:
            return None
        return above / below if above and below else None

    def _same(self, one: Value, other: Value) -> bool:
        if isinstance(one, Fraction) and isinstance(other, Fraction):
            return one == other
        one, other = (self._real(each) if isinstance(each, Fraction) else each for each in (one, other))
        return self._close(one, other) is Match.EQUAL

    def sign(self, left: Node, right: Node, point: Mapping[str, Fraction]) -> int | None:
        """Return the sign of `left - right` at a point; None if it is not real or too close to tell.

        Raises:
            StrangeAnswerError: a side has no value there.
        """
        one, other = exact.rational(left, point), exact.rational(right, point)
        if one is not None and other is not None:
            return (one > other) - (one < other)
        below, above = self.value(left, point), self.value(right, point)
        if not (self._is_real(below) and self._is_real(above)):
            return None
        if self._close(below, above) is not Match.DIFFERENT:
            return None
        return 1 if self._mp.re(below) > self._mp.re(above) else -1

    def within(self, node: Node, center: Fraction, distance: Fraction) -> bool:
        """Tell whether a constant lies within `distance` of `center`."""
        return bool(abs(self.value(node, {}) - self._real(center)) <= self._real(distance))

    def value(self, node: Node, point: Mapping[str, Fraction]) -> Value:
        """Return the value at a point."""
        match node:
            case Number(value=value):
                return self._real(value)
            case Symbol(name=name):
                return self._real(point[name])
            case Apply(args=()):
                return self._constant(node.head)
            case Apply():
                return self._bounded(self._applied(node, point))
            case _:
                raise StrangeAnswerError("a collection where a number should be")

    def magnitude(self, value: Value) -> float:
        """Return about log2 |value|, minus infinity for zero."""
        return float("-inf") if not value else float(self._mp.mag(value))

    def _at(self, gold: Node, answer: Node, point: Mapping[str, Fraction], *, complex_too: bool) -> Match:
        try:
            exactly = _exactly(gold, answer, point)
            if exactly is not None:
                return exactly
            left, right = self.value(gold, point), self.value(answer, point)
        except (UndefinedError, TooLargeError):
            # Too large at this point says nothing of the others.
            return Match.UNKNOWN
        if not complex_too and not (self._is_real(left) and self._is_real(right)):
            return Match.UNKNOWN
        return self._close(left, right)

    def _close(self, left: Value, right: Value) -> Match:
        if self._mp.isinf(left) or self._mp.isinf(right):
            return Match.EQUAL if left == right else Match.DIFFERENT
        scale = max(self.magnitude(left), self.magnitude(right))
        if scale > _TINY:
            scale = max(scale, 0.0)  # near one, rounding is absolute: sin(pi) against 0
        elif scale < _ROUNDING:
            return Match.EQUAL
        apart = self.magnitude(left - right) - scale
        if apart < _EQUAL_BELOW:
            return Match.EQUAL
        return Match.DIFFERENT if apart > _DIFFERENT_ABOVE else Match.UNKNOWN

    def _is_real(self, value: Value) -> bool:
        return self._mp.isinf(value) or self.magnitude(self._mp.im(value)) < _EQUAL_BELOW

    def _real(self, value: Fraction) -> Value:
        return self._mp.mpf(value.numerator) / value.denominator

    def _constant(self, head: str) -> Value:
        match head:
            case "pi":
                return +self._mp.pi
            case "e":
                return +self._mp.e
            case "i":
                return self._mp.mpc(0, 1)
            case "infinity":
                return self._mp.inf
            case _:
                raise StrangeAnswerError(f"{head} where a number should be")

    def _bounded(self, value: Value) -> Value:
        if self._mp.isnan(value):
            raise UndefinedError("no value")
        if not self._mp.isinf(value) and self.magnitude(value) > _MAX_MAGNITUDE:
            raise TooLargeError("a number with too many digits")
        return value

    def _applied(self, node: Apply, point: Mapping[str, Fraction]) -> Value:
        values = [self.value(part, point) for part in node.args]
        match node.head, values:
            case "add", _:
                return self._mp.fsum(values)
            case "mul", _:
                return self._mp.fprod(values)
            case "div", [above, below]:
                if not below:
                    raise UndefinedError("division by zero")
                return above / below
            case "neg", [value]:
                return -value
            case "degrees", [value]:
                return value
            case "percent", [value]:
                return value / 100
            case "pow", [base, exponent]:
                return self._power(base, exponent, exact.rational(node.args[1]))
            case _:
                return self._function(node, values)

    def _power(self, base: Value, exponent: Value, rational: Fraction | None) -> Value:
        if not base:
            if not self._mp.re(exponent) > 0:
                raise UndefinedError("zero to a power that is not positive")
            return base
        if (
            abs(self.magnitude(base)) * abs(exponent) > _MAX_MAGNITUDE
            or self.magnitude(exponent) > _MAX_MAGNITUDE
        ):
            raise TooLargeError("a power with too many digits")
        real = self._mp.re(base)
        if rational is not None and self._mp.im(base) == 0 and real < 0 and rational.denominator % 2:
            root = -self._mp.root(-real, rational.denominator)
            return root**rational.numerator
        return self._mp.power(base, exponent)

    def _function(self, node: Apply, values: list[Value]) -> Value:
        if any(not self._mp.isfinite(v) or self.magnitude(v) > _MAX_ARGUMENT_MAGNITUDE for v in values):
            raise TooLargeError(f"{node.head} of too large a number")
        value = values[0]
        if node.head in _ELEMENTARY:
            if _is_degrees(node.args[0]):
                value = value * self._mp.pi / 180
            return self._elementary(node.head, value)
        match node.head, values:
            case "log", [_, base]:
                below = self._elementary("ln", base)
                if not below:
                    raise UndefinedError("a logarithm to base one")
                return self._elementary("ln", value) / below
            case "abs", _:
                return abs(value)
            case (("floor" | "ceil"), _):
                return getattr(self._mp, node.head)(value)
            case (("max" | "min"), _):
                if not all(self._is_real(each) for each in values):
                    raise UndefinedError("no order among complex numbers")
                return (max if node.head == "max" else min)(values, key=self._mp.re)
            case _:
                raise UndefinedError(f"{node.head} is not sampled")

    def _elementary(self, name: str, value: Value) -> Value:
        try:
            return getattr(self._mp, name)(value)
        except (ZeroDivisionError, ValueError) as error:
            raise UndefinedError(f"{name} has no value here") from error


def _exactly(gold: Node, answer: Node, point: Mapping[str, Fraction]) -> Match | None:
    """Compare without rounding where both sides take only rational steps, else return None."""
    try:
        left = exact.rational(gold, point)
        right = None if left is None else exact.rational(answer, point)
    except TooLargeError:
        raise
    except StrangeAnswerError as error:
        raise UndefinedError(str(error)) from error
    if left is None or right is None:
        return None
    return Match.EQUAL if left == right else Match.DIFFERENT


def _is_degrees(node: Node) -> bool:
    return isinstance(node, Apply) and node.head == "degrees"
