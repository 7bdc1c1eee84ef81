"""Turns the trusted tests of a reference into calls to evaluate and values to expect.

One `assert` statement becomes one `Assertion`. The tested side alone is evaluated in the
sandbox; the expected side is computed here, from literals, and never leaves.

    assert f(1) == [2]                        call "f(1)", expected [2]
    assert [2] == f(1), "a message"           the same
    assert int(f(1)) == 2                     call "int(f(1))": a conversion is part of the call
    assert set(f(1)) == set([2])              call "set(f(1))", expected {2}
    assert f(1) / assert not f(1)             call "not not f(1)", expected True / False
    assert math.isclose(f(1), 2, rel_tol=t)   call "f(1)", expected 2.0 within that tolerance
    assert f((1,)) == sys.getsizeof((1,))     expected: the size in this interpreter

Anything else is refused with its reason when the reference is read. A test run whole in the
sandbox would put its expected value, and its verdict, into the candidate's hands.

A literal here may also hold `set(..)`, `frozenset(..)`, `float("nan")` and `sys.getsizeof(..)`
of literals. Sizes of objects differ between CPython versions, so a test of one is fair only
while server and sandbox run the same minor version; MBPP has one such problem, 596.
"""

import ast
import math
import sys
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final

from reward_server.errors import BadReferenceError
from reward_server.rewards.code.compare import Tolerance

MAX_TEST_CHARS: Final = 2**16  # a tenth of a second of parsing, during which nothing else is served
EXCERPT_CHARS: Final = 120

# Folding takes what a literal may hold and raises TypeError or ValueError for the rest.
_FOLDS: Final[Mapping[str, Callable[..., object]]] = MappingProxyType(
    {"set": set, "frozenset": frozenset, "float": float, "sys.getsizeof": sys.getsizeof}
)
_CONVERSIONS: Final = frozenset(
    {"int", "float", "str", "bool", "list", "tuple", "set", "sorted", "len", "round"}
)
_SHAPES: Final = ("f(..) == value", "f(..)", "not f(..)", "math.isclose(f(..), value)")
_CLOSE_NAMES: Final = frozenset({"math.isclose", "isclose"})
_CLOSE_DEFAULTS: Final[Mapping[str, float]] = MappingProxyType({"rel_tol": 1e-9, "abs_tol": 0.0})

# What parsing and folding raise: bad syntax, null bytes or too many digits, too deep, unhashable members.
_PARSE_ERRORS = (SyntaxError, ValueError, RecursionError, MemoryError, TypeError, OverflowError)


@dataclass(frozen=True, kw_only=True, slots=True)
class Assertion:
    """One test: evaluate `call` in the sandbox, compare with `expected` outside.

    `function` is the name under test, "" when it is not called by a bare name.
    """

    call: str
    expected: object
    function: str
    tolerance: Tolerance = field(default_factory=Tolerance)


class _UnfitError(Exception):
    """Why a test cannot be split into a call and an expected value."""


def parse_source(where: str, source: str) -> list[ast.stmt]:
    """Parse trusted Python; BadReferenceError names the field `where` it stands."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # an invalid escape in a test is no reason to refuse it
            return ast.parse(source.strip()).body
    except _PARSE_ERRORS as error:
        raise BadReferenceError(f"{where}: not Python ({error}): {excerpt(source)}") from error


def parse_assertion(where: str, test: str) -> Assertion:
    """Split one test; BadReferenceError names the field `where` it stands, and the reason."""
    if len(test) > MAX_TEST_CHARS:
        raise BadReferenceError(f"{where}: {len(test)} characters are more than the {MAX_TEST_CHARS} allowed")
    try:
        return _claim(parse_source(where, test))
    except _UnfitError as error:
        raise BadReferenceError(f"{where}: {error}: {excerpt(test)}") from error
    except _PARSE_ERRORS as error:
        raise BadReferenceError(f"{where}: bad value ({error}): {excerpt(test)}") from error


def _claim(body: list[ast.stmt]) -> Assertion:
    match body:
        case [ast.Assert(test=ast.Compare(left=left, ops=[ast.Eq()], comparators=[right]))]:
            tested, expected = _sides(left, right)
            return _tested(tested, expected=expected)
        case [ast.Assert(test=ast.Call(args=[left, right]) as call)] if _asks_closeness(call):
            return _close(*_sides(left, right), call.keywords)
        case [ast.Assert(test=ast.UnaryOp(op=ast.Not(), operand=ast.Call() as call))]:
            return _truth(call, expected=False)
        case [ast.Assert(test=ast.Call() as call)]:
            return _truth(call, expected=True)
        case [ast.Assert()]:
            raise _UnfitError(f"an assert must be one of {', '.join(_SHAPES)}")
        case _:
            raise _UnfitError(f"needs exactly one assert statement, has {len(body)} statements")


def _asks_closeness(call: ast.Call) -> bool:
    """A call of `isclose` on two literals tests a function of that name instead."""
    return ast.unparse(call.func) in _CLOSE_NAMES and not all(map(_literal, call.args))


def _sides(left: ast.expr, right: ast.expr) -> tuple[ast.expr, object]:
    """Tell the tested side from the literal one, and evaluate the latter."""
    pairs = [(tested, value) for tested, side in ((left, right), (right, left)) for value in _literal(side)]
    if not pairs:
        raise _UnfitError("neither side is a literal value")
    if len(pairs) == 2:
        raise _UnfitError("both sides are literal, nothing is under test")
    return pairs[0]


def _tested(tested: ast.expr, *, expected: object, tolerance: Tolerance | None = None) -> Assertion:
    if not isinstance(tested, ast.Call):
        raise _UnfitError("the tested side is not a call")
    return Assertion(
        call=ast.unparse(tested),
        expected=expected,
        function=_function(tested),
        tolerance=tolerance or Tolerance(),
    )


def _truth(call: ast.Call, *, expected: bool) -> Assertion:
    """`not not` and not `bool`: the value may be no plain data, and a candidate may rebind names."""
    return Assertion(call=f"not not {ast.unparse(call)}", expected=expected, function=_function(call))


def _close(tested: ast.expr, literal: object, keywords: list[ast.keyword]) -> Assertion:
    options = {keyword.arg or "**": _plain(keyword.value) for keyword in keywords}
    if unknown := options.keys() - _CLOSE_DEFAULTS.keys():
        raise _UnfitError(f"math.isclose takes rel_tol and abs_tol, not {sorted(unknown)}")
    numbers: list[Any] = [literal, *({**_CLOSE_DEFAULTS, **options}.values())]
    expected, relative, absolute = map(float, numbers)
    math.isclose(0.0, 0.0, rel_tol=relative, abs_tol=absolute)  # refuses negative tolerances
    return _tested(tested, expected=expected, tolerance=Tolerance(relative=relative, absolute=absolute))


def _function(call: ast.Call) -> str:
    """Name the function under test: the innermost one below conversions such as `set(f(..))`."""
    match call:
        case ast.Call(func=ast.Name(id=name), args=[ast.Call() as inner]) if name in _CONVERSIONS:
            return _function(inner)
        case ast.Call(func=ast.Name(id=name)):
            return name
        case _:
            return ""


def _literal(node: ast.expr) -> tuple[object] | tuple[()]:
    """Return the value of a literal, or nothing when the node is none."""
    try:
        return (_plain(node),)
    except _PARSE_ERRORS:
        return ()


def _plain(node: ast.expr | None) -> object:
    """Evaluate a literal. Raises one of `_PARSE_ERRORS` for anything else."""
    match node:
        case ast.Constant(value=value):
            return value
        case ast.Call(func=func, args=arguments, keywords=[]) if fold := _FOLDS.get(ast.unparse(func)):
            return fold(*map(_plain, arguments))
        case ast.UnaryOp(op=ast.USub(), operand=ast.Call() as operand):
            negated: Any = _plain(operand)
            return -negated
        case ast.List(elts=elements):
            return [_plain(element) for element in elements]
        case ast.Tuple(elts=elements):
            return tuple(_plain(element) for element in elements)
        case ast.Set(elts=elements):
            return {_plain(element) for element in elements}
        case ast.Dict(keys=keys, values=values):
            return {_plain(key): _plain(value) for key, value in zip(keys, values, strict=True)}
        case ast.expr():
            return ast.literal_eval(node)
        case None:
            raise ValueError("`**` in a dict")


def excerpt(source: str) -> str:
    """Return the beginning of a source, for a message."""
    return repr(source if len(source) <= EXCERPT_CHARS else source[:EXCERPT_CHARS] + "...")
