"""Decides whether a decoded value is the expected one, and says where they differ.

Python's own `==` on plain data, with two exceptions: where the expected value holds a float
or complex number, the number found there may differ by a tolerance; and NaN equals NaN.

- Numbers compare across int, float, bool and Fraction (1 == 1.0 == True); a list is never a tuple; a
  set may be a frozenset.
- Members of sets and keys of dicts are compared exactly, NaN included.
- Only exactly these types pass: an object with an `__eq__` of its own is unequal to all.
- Recursion follows the expected value, so a candidate's nesting costs nothing.
"""

import cmath
import reprlib
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Final

MAX_INT_BITS: Final = 1024
MAX_SHOWN_CHARS: Final = 160
_SEQUENCES: Final = frozenset({list, tuple})
_NESTED: Final = _SEQUENCES | {dict}
_INEXACT: Final = frozenset({float, complex})
_NUMBERS: Final = frozenset({bool, int, float, complex, Fraction})
_FAMILIES: Final = (
    _NUMBERS,
    frozenset({set, frozenset}),
    frozenset({str}),
    frozenset({bytes}),
    frozenset({type(None)}),
    frozenset({type(...)}),
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Tolerance:
    """How far a number may be from an expected float, as in `math.isclose`."""

    relative: float = 1e-6
    absolute: float = 1e-6


def difference(actual: object, expected: object, tolerance: Tolerance) -> str | None:
    """Say how `actual` differs from `expected`, or return None when it does not."""
    path = _first_difference(actual, expected, tolerance)
    if path is None:
        return None
    where = f" (first difference at {path})" if path else ""
    return f"returned {shown(actual)}, expected {shown(expected)}{where}"


def _first_difference(actual: object, expected: object, tolerance: Tolerance) -> str | None:
    """Return the path to the first difference, "" for the whole value, None without one."""
    kind = type(expected)
    if kind in _NESTED:
        return _first_below(actual, expected, tolerance) if _same_shape(actual, expected) else ""
    if kind in _INEXACT:
        return None if _close(actual, expected, tolerance) else ""
    return None if _comparable(type(actual), kind) and actual == expected else ""


def _same_shape(actual: Any, expected: Any) -> bool:
    if type(actual) is not type(expected):
        return False
    return actual.keys() == expected.keys() if isinstance(expected, dict) else len(actual) == len(expected)


def _first_below(actual: Any, expected: Any, tolerance: Tolerance) -> str | None:
    keys: Iterable[Any] = range(len(expected)) if type(expected) in _SEQUENCES else expected
    for key in keys:
        path = _first_difference(actual[key], expected[key], tolerance)
        if path is not None:
            return f"[{shown(key)}]{path}"
    return None


def _comparable(actual: type, expected: type) -> bool:
    return any(actual in family and expected in family for family in _FAMILIES)


def _close(actual: Any, expected: Any, tolerance: Tolerance) -> bool:
    if type(actual) not in _NUMBERS:
        return False
    if expected != expected:  # NaN
        return actual != actual
    try:
        return cmath.isclose(actual, expected, rel_tol=tolerance.relative, abs_tol=tolerance.absolute)
    except OverflowError:  # an int beyond the range of float is close to none
        return False


class _Shown(reprlib.Repr):
    """Short reprs; an int of many digits has none in CPython, so its size is shown."""

    def repr_int(self, x: int, level: int) -> str:
        if x.bit_length() > MAX_INT_BITS:
            return f"<int of {x.bit_length()} bits>"
        return super().repr_int(x, level)


def shown(value: object) -> str:
    """Return a short, printable form of plain data."""
    short = _Shown()
    short.maxlevel = 4  # six members on each level: 1,296 in all
    short.maxstring = short.maxother = 80
    text = short.repr(value)
    return text if len(text) <= MAX_SHOWN_CHARS else text[:MAX_SHOWN_CHARS] + "..."
