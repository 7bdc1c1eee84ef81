"""The own tree to sympy's objects, node by node. No text is ever parsed here."""

from collections.abc import Callable, Mapping
from typing import Any

import sympy as untyped_sympy  # pyright: ignore[reportMissingTypeStubs]

from reward_server.rewards.math import names_of_values
from reward_server.rewards.math.tree import (
    BINDERS,
    Apply,
    Collection,
    Interval,
    Kind,
    Node,
    Number,
    Relation,
    StrangeAnswerError,
)
from reward_server.rewards.math.tree import Symbol as Name

# sympy's own annotations are partial: its objects are `Any` in this module and in `symbolic`.
sympy: Any = untyped_sympy
Expression = Any

_CONSTANTS: Mapping[str, Expression] = {
    "pi": sympy.pi, "e": sympy.E, "i": sympy.I, "infinity": sympy.oo, "empty": sympy.S.EmptySet,
    "reals": sympy.S.Reals,
}  # fmt: skip


def _opposite(value: Expression) -> Expression:
    return -value


def _quotient(above: Expression, below: Expression) -> Expression:
    return above / below


def _hundredth(value: Expression) -> Expression:
    return value / 100


def _itself(value: Expression) -> Expression:
    return value


# Not gcd and lcm: sympy's are those of polynomials, where gcd(x, y) is 1.
_OPERATIONS: Mapping[str, Callable[..., Expression]] = {
    "add": sympy.Add, "mul": sympy.Mul, "pow": sympy.Pow, "neg": _opposite, "div": _quotient,
    "abs": sympy.Abs, "floor": sympy.floor, "ceil": sympy.ceiling, "factorial": sympy.factorial,
    "binomial": sympy.binomial, "log": sympy.log, "ln": sympy.log, "percent": _hundredth,
    "degrees": _itself, "sin": sympy.sin, "cos": sympy.cos, "tan": sympy.tan, "cot": sympy.cot,
    "sec": sympy.sec, "csc": sympy.csc, "asin": sympy.asin, "acos": sympy.acos, "atan": sympy.atan,
    "sinh": sympy.sinh, "cosh": sympy.cosh, "tanh": sympy.tanh, "max": sympy.Max,
    "min": sympy.Min, "conjugate": sympy.conjugate,
}  # fmt: skip
_TRIGONOMETRIC = frozenset(("sin", "cos", "tan", "cot", "sec", "csc"))
_RELATIONS: Mapping[str, Callable[..., Expression]] = {
    "<": sympy.StrictLessThan, "<=": sympy.LessThan, ">": sympy.StrictGreaterThan, ">=": sympy.GreaterThan,
    "=": sympy.Eq, "!=": sympy.Ne,
}  # fmt: skip


def expression(node: Node) -> Expression:
    """Build a number or expression.

    Raises:
        StrangeAnswerError: the node is no expression.
    """
    match node:
        case Number(value=value):
            return sympy.Rational(value.numerator, value.denominator)
        case Name(name=name):
            return sympy.Symbol(name, real=True)
        case Apply(args=()) if node.head in _CONSTANTS:
            return _CONSTANTS[node.head]
        case Apply(args=(body, Name(name=name), *bounds)) if node.head in BINDERS:
            return _bound(node.head, expression(body), name, list(map(expression, bounds)))
        case Apply() if node.head in _OPERATIONS:
            parts = [expression(part) for part in node.args]
            first = node.args[0]
            if node.head in _TRIGONOMETRIC and isinstance(first, Apply) and first.head == "degrees":
                parts[0] = parts[0] * sympy.pi / 180
            return _OPERATIONS[node.head](*parts)
        case _:
            raise StrangeAnswerError("no expression")


def _bound(head: str, body: Expression, name: str, bounds: list[Expression]) -> Expression:
    """Compute a sum, product, integral or limit, whose first bound name is as `expression` builds it."""
    real = sympy.Symbol(name, real=True)
    match head:
        case "integral":
            return sympy.integrate(body, (real, *bounds))
        case "limit":
            return sympy.limit(body, real, *bounds)
        case _:
            index = sympy.Symbol(name, integer=True)
            series = sympy.Sum if head == "sum" else sympy.Product
            return series(body.subs(real, index), (index, *bounds)).doit()


def real_set(node: Node) -> Expression:
    """Build a set of reals from intervals, unions, inequalities and finite sets.

    Raises:
        StrangeAnswerError: the node is no set of reals.
    """
    match node:
        case Interval():
            ends = (expression(node.low), expression(node.high))
            return sympy.Interval(*ends, left_open=not node.low_closed, right_open=not node.high_closed)
        case Collection(kind=Kind.SET):
            return sympy.FiniteSet(*map(expression, node.items))
        case Collection(kind=Kind.TUPLE, items=(low, high)):
            return sympy.Interval.open(expression(low), expression(high))
        case Collection(kind=Kind.LIST):
            return sympy.Union(*map(real_set, node.items))
        case Apply(head="reals" | "empty"):
            return _CONSTANTS[node.head]
        case Apply(head="union" | "intersection" | "setminus", args=(left, right)):
            return _joined(node.head, real_set(left), real_set(right))
        case Relation():
            return _solutions(node)
        case _:
            raise StrangeAnswerError("no set of reals")


def _joined(head: str, left: Expression, right: Expression) -> Expression:
    match head:
        case "union":
            return sympy.Union(left, right)
        case "intersection":
            return sympy.Intersection(left, right)
        case _:
            return sympy.Complement(left, right)


def _solutions(relation: Relation) -> Expression:
    if relation.operators == ("in",) and names_of_values.is_name(relation.sides[0]):
        return real_set(relation.sides[1])
    sides = [expression(side) for side in relation.sides]
    found: Expression = sympy.S.Reals
    for sign, left, right in zip(relation.operators, sides, sides[1:], strict=False):
        if sign not in _RELATIONS:
            raise StrangeAnswerError(f"{sign!r} between numbers")
        holds = _RELATIONS[sign](left, right)
        found = sympy.Intersection(found, holds.as_set())
    return found
