"""Comparison of values to about 100 digits, at fixed points where there are free symbols.

One clear disagreement proves two expressions different. Agreement to 78 digits at
enough points is taken as equality (Schwartz and Zippel's argument for polynomials;
for the rest no counter-example of this size is known to be written by accident).

The domain is the reals: a point at which a side has no real value says nothing, so that
`ln x^2` and `2 ln x` agree, while `sqrt(x^2)` and `x` differ. `i` makes it complex.
"""

import contextlib
from collections.abc import Callable, Mapping, Sequence
from enum import Enum
from fractions import Fraction
from functools import lru_cache

from reward_server.rewards.math import exact
from reward_server.rewards.math.evaluation import MORE_BITS, Evaluator, UndefinedError, UnsampledError, Value
from reward_server.rewards.math.meter import Meter
from reward_server.rewards.math.points import points
from reward_server.rewards.math.precision import holds_many_digits
from reward_server.rewards.math.quotients import Quotients
from reward_server.rewards.math.remembered import Found, Remembered
from reward_server.rewards.math.tree import Node, StrangeAnswerError, TooLargeError, has_head

ENOUGH_POINTS = 3
# Base-2 magnitudes, relative to the larger side: below, equal; above, different.
_EQUAL_BELOW = -260
_DIFFERENT_ABOVE = -200
# The same with more bits, and by how much rounding shrinks with them.
_FINELY_EQUAL_BELOW = 1_000
_SHRINKS_BY = 400
# A value between these is small by nature, below the second by rounding.
_TINY = -100
_ROUNDING = -300
# What a sign costs besides its two values, in steps of the meter.
_SIGN_STEPS = 6
_REMEMBERED_POINTS = 256
_REMEMBERED_GOLDS = 1024


Point = Mapping[str, Fraction]


class Match(Enum):
    """What is known of two values."""

    EQUAL = "equal"
    DIFFERENT = "different"
    UNKNOWN = "unknown"


class Sampler:
    """Compares values; `meter` bounds the work of it, which is without limit until it is restarted."""

    def __init__(self) -> None:
        self.meter = Meter()
        self._evaluator = Evaluator(self.meter)
        self._finer = Evaluator(self.meter, MORE_BITS)
        self._points = lru_cache(_REMEMBERED_POINTS)(points)
        self._seen = lru_cache(_REMEMBERED_GOLDS)(self._nothing_seen)

    def compare(self, gold: Node, answer: Node, names: Sequence[str]) -> Match:
        """Compare two scalars at points for the free symbols `names`.

        Raises:
            TooLargeError: a value is over the limits.
            StrangeAnswerError: a constant without a value.
            OverBudgetError: the meter has run out.
        """
        seen = self._seen(gold)
        if (equal := self._quotients(seen, gold, names).equal(answer)) is not None:
            return Match.EQUAL if equal else Match.DIFFERENT
        if not names:
            try:
                left = seen.get((), lambda: self._evaluator.value(gold, {}))
                right = self._evaluator.value(answer, {})
                if (match := self._close(left, right)) is not Match.EQUAL:
                    return match
                return self._finely(seen, gold, answer, (), {}, (left, right))
            except UnsampledError:
                return Match.UNKNOWN
        real = not (has_head(gold, "i") or has_head(answer, "i"))
        exactly = True
        agreeing = 0
        for index, point in enumerate(self._points(tuple(names))):
            match = self._exactly(seen, gold, answer, index, point) if exactly else None
            # What has no exact value at one point has none at the others.
            exactly = match is not None
            finely = not exactly and not agreeing
            match match or self._at(seen, gold, answer, index, point, real=real, finely=finely):
                case Match.EQUAL:
                    agreeing += 1
                case Match.DIFFERENT:
                    return Match.DIFFERENT
                case Match.UNKNOWN:
                    pass
        return Match.EQUAL if agreeing >= ENOUGH_POINTS else Match.UNKNOWN

    def remembered(self, gold: Node, key: str, compute: Callable[[], Found]) -> Found:
        """Return what `compute` makes of a gold alone, as known from the first time."""
        return self._seen(gold).get(key, compute)

    def _nothing_seen(self, gold: Node) -> Remembered:
        return Remembered(self.meter)

    def proportional_by_algebra(self, gold: Node, answer: Node, names: Sequence[str]) -> bool | None:
        """Tell whether one is a constant multiple of the other, if both are quotients of polynomials."""
        return self._quotients(self._seen(gold), gold, names).proportional(answer)

    def proportional(self, gold: Node, answer: Node, names: Sequence[str]) -> Match:
        """Tell whether one is a constant multiple of the other.

        Never DIFFERENT: other pairs can have the same zeros, too.
        """
        first: Value = None
        agreeing = 0
        for point in self._points(tuple(names)):
            ratio = self._ratio(gold, answer, point)
            if ratio is None:
                continue
            if first is not None and not self._same(first, ratio):
                return Match.UNKNOWN
            first = ratio
            agreeing += 1
        return Match.EQUAL if agreeing >= ENOUGH_POINTS else Match.UNKNOWN

    def _quotients(self, seen: Remembered, gold: Node, names: Sequence[str]) -> Quotients:
        return seen.get(("quotients", *names), lambda: Quotients(gold, names, self.meter))

    def rational(self, node: Node, point: Mapping[str, Fraction] = exact.NOWHERE) -> Fraction | None:
        """Return the exact value at a point if rational steps lead to it; see `exact.rational`."""
        return exact.rational(node, self.meter, point)

    def sign(self, left: Node, right: Node, point: Mapping[str, Fraction]) -> int | None:
        """Return the sign of `left - right` at a point; None if it is not real or too close to tell.

        Raises:
            StrangeAnswerError: a side has no value there.
        """
        self.meter.spend(_SIGN_STEPS)
        one, other = self.rational(left, point), self.rational(right, point)
        if one is not None and other is not None:
            return (one > other) - (one < other)
        below, above = self._evaluator.value(left, point), self._evaluator.value(right, point)
        if not (self._evaluator.is_real(below) and self._evaluator.is_real(above)):
            return None
        if self._close(below, above) is not Match.DIFFERENT:
            return None
        return 1 if self._evaluator.real_part(below) > self._evaluator.real_part(above) else -1

    def check(self, constant: Node) -> None:
        """Evaluate a constant, which at each of many points would only be unknown.

        Raises:
            TooLargeError: a value is over the limits.
            StrangeAnswerError: it has no value.
        """
        with contextlib.suppress(UnsampledError):
            self._evaluator.value(constant, {})

    def within(self, node: Node, center: Fraction, distance: Fraction) -> bool:
        """Tell whether a constant lies within `distance` of `center`."""
        number = self._evaluator.number
        return bool(abs(self._evaluator.value(node, {}) - number(center)) <= number(distance))

    def _ratio(self, gold: Node, answer: Node, point: Mapping[str, Fraction]) -> Value | None:
        """Return `answer / gold` at a point, as a fraction if it is one; None where it has no value."""
        try:
            below = self.rational(gold, point)
            above = None if below is None else self.rational(answer, point)
            if above is None or below is None:
                below, above = self._evaluator.value(gold, point), self._evaluator.value(answer, point)
        except StrangeAnswerError:
            return None
        return above / below if above and below else None

    def _same(self, one: Value, other: Value) -> bool:
        if isinstance(one, Fraction) and isinstance(other, Fraction):
            return one == other
        number = self._evaluator.number
        one, other = (number(each) if isinstance(each, Fraction) else each for each in (one, other))
        return self._close(one, other) is Match.EQUAL

    def _at(
        self,
        seen: Remembered,
        gold: Node,
        answer: Node,
        index: int,
        point: Point,
        *,
        real: bool,
        finely: bool,
    ) -> Match:
        try:
            left = seen.get((index, real), lambda: self._evaluator.value(gold, point, real=real))
            right = self._evaluator.value(answer, point, real=real)
        except (UndefinedError, TooLargeError):
            # Too large at this point says nothing of the others.
            return Match.UNKNOWN
        match = self._close(left, right)
        if match is not Match.EQUAL or not finely:
            return match
        return self._finely(seen, gold, answer, (index, real), point, (left, right), real=real)

    def _finely(
        self,
        seen: Remembered,
        gold: Node,
        answer: Node,
        key: tuple[object, ...],
        point: Point,
        found: tuple[Value, Value],
        *,
        real: bool = False,
    ) -> Match:
        """Compare values that agree once more with more bits, where small differences are possible.

        What was rounding shrinks with more bits, and a small difference stays.
        """
        magnitude = self._evaluator.magnitude
        if any(map(self._evaluator.is_infinite, found)):
            return Match.EQUAL
        tiny = found != (0, 0) and max(map(magnitude, found)) < _ROUNDING
        if not (tiny or holds_many_digits(answer) or holds_many_digits(gold)):
            return Match.EQUAL
        try:
            left = seen.get(("finely", *key), lambda: self._finer.value(gold, point, real=real))
            right = self._finer.value(answer, point, real=real)
        except (UndefinedError, TooLargeError):
            return Match.UNKNOWN
        apart, still_apart = magnitude(found[0] - found[1]), magnitude(left - right)
        scale = max(magnitude(left), magnitude(right), 0.0)
        stays = still_apart > apart - _SHRINKS_BY if apart > float("-inf") else False
        differs = stays or still_apart > scale - _FINELY_EQUAL_BELOW
        return Match.DIFFERENT if differs else Match.EQUAL

    def _exactly(self, seen: Remembered, gold: Node, answer: Node, index: int, point: Point) -> Match | None:
        """Compare without rounding where both sides take only rational steps, else return None."""
        try:
            left = seen.get(index, lambda: self.rational(gold, point))
            right = None if left is None else self.rational(answer, point)
        except StrangeAnswerError:
            return Match.UNKNOWN
        if left is None or right is None:
            return None
        return Match.EQUAL if left == right else Match.DIFFERENT

    def _close(self, left: Value, right: Value) -> Match:
        if self._evaluator.is_infinite(left) or self._evaluator.is_infinite(right):
            return Match.EQUAL if left == right else Match.DIFFERENT
        magnitude = self._evaluator.magnitude
        scale = max(magnitude(left), magnitude(right))
        if scale > _TINY:
            scale = max(scale, 0.0)  # near one, rounding is absolute: sin(pi) against 0
        elif scale < _ROUNDING:
            return Match.EQUAL
        apart = magnitude(left - right) - scale
        if apart < _EQUAL_BELOW:
            return Match.EQUAL
        return Match.DIFFERENT if apart > _DIFFERENT_ABOVE else Match.UNKNOWN
