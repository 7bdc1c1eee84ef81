"""The value of a tree at a point, to about 100 digits.

Where nothing names the imaginary unit, symbols are real and so is every part of an
expression with them: a part that is not has no value there. So `sqrt(a) sqrt(b)` is
`sqrt(ab)`, for both have a value only where `a` and `b` are not negative.
"""

from collections.abc import Mapping
from fractions import Fraction
from functools import lru_cache
from typing import Any

from mpmath.ctx_mp import MPContext  # pyright: ignore[reportMissingTypeStubs, reportUnknownVariableType]

from reward_server.rewards.math import exact
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

BITS = 350
# What decides that an agreement is not one of the first digits only.
MORE_BITS = 1_200
# Base-2 magnitude of an imaginary part that is only rounding.
_REAL_BELOW = -260
# Beyond these, a step costs time or memory out of proportion.
_MAX_MAGNITUDE = 1 << 17
_MAX_ARGUMENT_MAGNITUDE = 512
# In steps of the meter, for 350 bits.
_LEAF_STEPS = 3
_ARITHMETIC_STEPS = 6
_FUNCTION_STEPS = 15

_REMEMBERED_NUMBERS = 1024

# mpmath has no type stubs; its numbers are `Any` here and in `sampled` only.
Value = Any


class UndefinedError(StrangeAnswerError):
    """No value at this point: a pole, or outside a function's domain."""


class UnsampledError(UndefinedError):
    """There may be a value, but not by evaluation at a point."""


# Their names in this package and in mpmath agree.
_ELEMENTARY = frozenset(
    ("sin", "cos", "tan", "cot", "sec", "csc", "asin", "acos", "atan", "sinh", "cosh", "tanh", "ln")
)


class Evaluator:
    """Evaluates trees in its own arithmetic context, so that nothing global is set."""

    def __init__(self, meter: Meter, bits: int = BITS) -> None:
        context: Any = MPContext()
        context.prec = bits
        self._mp = context
        self._numbers = lru_cache(_REMEMBERED_NUMBERS)(self._number)
        self._at_points = lru_cache(_REMEMBERED_NUMBERS)(self._elementary)
        self._meter = meter
        self._times = bits // BITS

    def value(self, node: Node, point: Mapping[str, Fraction], *, real: bool = False) -> Value:
        """Return the value at a point; if `real`, every part must be real.

        Raises:
            UndefinedError: there is none at this point.
            TooLargeError: a part is over the limits.
            StrangeAnswerError: the node is no number.
            OverBudgetError: the meter has run out.
        """
        if isinstance(node, Number):
            return self.number(node.value)
        if isinstance(node, Symbol):
            return self.number(point[node.name])
        if not isinstance(node, Apply):
            raise StrangeAnswerError("a collection where a number should be")
        if not node.args:
            return self._constant(node.head)
        if node.head in BINDERS:
            return self._series(node, point, real=real)
        found = self._applied(node, [self.value(part, point, real=real) for part in node.args])
        return self._checked(found, real=real)

    def _spend(self, steps: int) -> None:
        self._meter.spend(self._times * steps)

    def number(self, value: Fraction) -> Value:
        self._spend(_LEAF_STEPS)
        return self._numbers(value)

    def _number(self, value: Fraction) -> Value:
        return self._mp.mpf(value.numerator) / value.denominator

    def magnitude(self, value: Value) -> float:
        """Return about log2 |value|, minus infinity for zero."""
        return float("-inf") if not value else float(self._mp.mag(value))

    def is_infinite(self, value: Value) -> bool:
        return bool(self._mp.isinf(value))

    def is_real(self, value: Value) -> bool:
        if isinstance(value, self._mp.mpf) or self.is_infinite(value):
            return True
        return self.magnitude(self._mp.im(value)) < _REAL_BELOW

    def real_part(self, value: Value) -> Value:
        return self._mp.re(value)

    def _series(self, node: Apply, point: Mapping[str, Fraction], *, real: bool) -> Value:
        places = exact.terms(node, self._meter, point) if node.head in exact.SERIES else None
        if places is None:
            raise UnsampledError(f"this {node.head} is not sampled")
        parts = [self.value(node.args[0], place, real=real) for place in places]
        return self._mp.fsum(parts) if node.head == "sum" else self._mp.fprod(parts)

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

    def _checked(self, value: Value, *, real: bool) -> Value:
        if self._mp.isnan(value):
            raise UndefinedError("no value")
        if not self._mp.isinf(value) and self.magnitude(value) > _MAX_MAGNITUDE:
            raise TooLargeError("a number with too many digits")
        if real and not self.is_real(value):
            raise UndefinedError("a part that is not real")
        return value

    def _applied(self, node: Apply, values: list[Value]) -> Value:
        self._spend(_ARITHMETIC_STEPS)
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
            case "conjugate", [value]:
                return self._mp.conj(value)
            case "degrees", [value]:
                return value
            case "percent", [value]:
                return value / 100
            case "pow", [base, exponent]:
                return self._power(base, exponent, exact.rational(node.args[1], self._meter))
            case _:
                return self._function(node, values)

    def _power(self, base: Value, exponent: Value, rational: Fraction | None) -> Value:
        whole = rational is not None and rational.denominator == 1
        self._spend(_ARITHMETIC_STEPS if whole else _FUNCTION_STEPS)
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
        self._spend(_FUNCTION_STEPS)
        if any(not self._mp.isfinite(v) or self.magnitude(v) > _MAX_ARGUMENT_MAGNITUDE for v in values):
            raise TooLargeError(f"{node.head} of too large a number")
        value = values[0]
        if node.head in _ELEMENTARY:
            if _is_degrees(node.args[0]):
                value = value * self._mp.pi / 180
            # The points are fixed, and \sin x is asked for again and again.
            elementary = self._at_points if isinstance(node.args[0], Symbol) else self._elementary
            return elementary(node.head, value)
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
                if not all(self.is_real(each) for each in values):
                    raise UndefinedError("no order among complex numbers")
                return (max if node.head == "max" else min)(values, key=self._mp.re)
            case _:
                raise UnsampledError(f"{node.head} is not sampled")

    def _elementary(self, name: str, value: Value) -> Value:
        try:
            return getattr(self._mp, name)(value)
        except (ZeroDivisionError, ValueError) as error:
            raise UndefinedError(f"{name} has no value here") from error


def _is_degrees(node: Node) -> bool:
    return isinstance(node, Apply) and node.head == "degrees"
