"""Rewriting of trees into comparable shapes; no values are computed here.

`x = 5` is named 5, `x > 3` is the interval (3, infinity), `1 \\pm 2` is two values.
"""

from fractions import Fraction

from reward_server.rewards.math.names_of_values import by_turns, is_called, is_name, values_by_name
from reward_server.rewards.math.tree import (
    INFINITY,
    MINUS_INFINITY,
    REALS,
    Apply,
    Collection,
    Interval,
    Kind,
    Node,
    Number,
    Relation,
    StrangeAnswerError,
    Symbol,
    children,
    has_head,
    symbols,
)
from reward_server.rewards.math.vectors import components

_MIRRORED = {"<": ">", ">": "<", "<=": ">=", ">=": "<=", "=": "=", "!=": "!="}


def is_equation(node: Node) -> bool:
    """Tell whether the node is one `left = right` or a chain of them."""
    return isinstance(node, Relation) and set(node.operators) == {"="}


def difference(equation: Relation) -> Node:
    """Return `left - right`, whose zeros are the equation's solutions."""
    return Apply("add", (equation.sides[0], Apply("neg", (equation.sides[-1],))))


def is_set_of_reals(node: Node) -> bool:
    """Tell whether the node is written so that it can only be a set of reals."""
    if isinstance(node, Interval) or node == REALS:
        return True
    if isinstance(node, Apply):
        return node.head in ("union", "intersection", "setminus")
    if isinstance(node, Relation):
        return _is_inequality(node)
    if not isinstance(node, Collection) or node.kind is not Kind.LIST:
        return False
    bounds = [item for item in node.items if _is_inequality(item)]
    return bool(bounds) and all(_is_inequality(item) or is_equation(item) for item in node.items)


def _is_inequality(node: Node) -> bool:
    return isinstance(node, Relation) and not set(node.operators) & {"=", "~"}


def intervals(node: Node) -> tuple[Interval, ...] | None:
    """Return the intervals whose union the node plainly is; None if that takes algebra."""
    match node:
        case Interval():
            return (node,)
        case Apply(head="reals"):
            return (Interval(MINUS_INFINITY, INFINITY, low_closed=False, high_closed=False),)
        case Collection(kind=Kind.TUPLE, items=(low, high)):
            return (Interval(low, high, low_closed=False, high_closed=False),)
        case Collection(kind=Kind.SET, items=points):
            return tuple(Interval(each, each, low_closed=True, high_closed=True) for each in points)
        case Apply(head="union", args=parts) | Collection(kind=Kind.LIST, items=parts):
            found = [intervals(part) for part in parts]
            return None if None in found else tuple(each for group in found if group for each in group)
        case Relation():
            return _solved(node)
        case _:
            return None


def _solved(relation: Relation) -> tuple[Interval, ...] | None:
    """Read `x > a`, `a < x`, `a < x <= b`, `x \\ne a`, `x \\in S` as intervals."""
    operators, sides = relation.operators, relation.sides
    if operators == ("in",):
        return intervals(sides[1]) if is_name(sides[0]) else None
    if len(sides) == 3 and _is_unknown(sides[1]) and not symbols(sides[0]) and not symbols(sides[2]):
        return _between(operators, sides)
    if len(sides) != 2:
        return None
    left, right, operator = sides[0], sides[1], operators[0]
    if isinstance(right, Symbol) and not isinstance(left, Symbol):
        left, right, operator = right, left, _MIRRORED[operator]
    return _one_sided(operator, right) if isinstance(left, Symbol) and not symbols(right) else None


def _is_unknown(node: Node) -> bool:
    return isinstance(node, Symbol) or is_called(node)


def _between(operators: tuple[str, ...], sides: tuple[Node, ...]) -> tuple[Interval, ...] | None:
    low, _, high = sides
    if set(operators) <= {">", ">="}:
        low, high, operators = high, low, tuple(_MIRRORED[each] for each in reversed(operators))
    if not set(operators) <= {"<", "<="}:
        return None
    return (Interval(low, high, low_closed=operators[0] == "<=", high_closed=operators[1] == "<="),)


def _one_sided(operator: str, bound: Node) -> tuple[Interval, ...] | None:
    below = Interval(MINUS_INFINITY, bound, low_closed=False, high_closed=operator == "<=")
    above = Interval(bound, INFINITY, low_closed=operator == ">=", high_closed=False)
    match operator:
        case "<" | "<=":
            return (below,)
        case ">" | ">=":
            return (above,)
        case "!=":
            return (below, above)
        case "=":
            return (Interval(bound, bound, low_closed=True, high_closed=True),)
        case _:
            return None


def expanded(node: Node) -> Node:
    """Write both values of a plus-minus out, as a list or in place among other items.

    Raises:
        StrangeAnswerError: more than one plus-minus in a value.
    """
    if isinstance(node, Apply) and node.head == "union":
        node = _finite_union(node)
    if isinstance(node, Collection) and node.kind in (Kind.LIST, Kind.SET):
        return Collection(node.kind, tuple(each for item in node.items for each in _variants(item)))
    variants = _variants(node)
    if len(variants) > 1 and isinstance(node, Relation) and node.operators == ("!=",):
        return Apply("intersection", variants)
    return node if len(variants) == 1 else Collection(Kind.LIST, variants)


def _finite_union(node: Apply) -> Node:
    """Return `{1} \\cup {2, 3}` as one set, and any other union as it is."""
    parts = [
        _finite_union(part) if isinstance(part, Apply) and part.head == "union" else part
        for part in node.args
    ]
    sets = [part.items for part in parts if isinstance(part, Collection) and part.kind is Kind.SET]
    return (
        node
        if len(sets) < len(parts)
        else Collection(Kind.SET, tuple(item for items in sets for item in items))
    )


def _variants(node: Node) -> tuple[Node, ...]:
    if not has_head(node, "pm"):
        return (node,)
    if _count_plus_minus(node) > 1:
        raise StrangeAnswerError("more than one plus-minus")
    return (_with_sign(node, plus=True), _with_sign(node, plus=False))


def _count_plus_minus(node: Node) -> int:
    own = int(isinstance(node, Apply) and node.head == "pm")
    return own + sum(_count_plus_minus(part) for part in children(node))


def _with_sign(node: Node, *, plus: bool) -> Node:
    match node:
        case Apply(head="pm", args=(left, right)):
            return Apply("add", (left, right if plus else Apply("neg", (right,))))
        case Apply():
            return Apply(node.head, tuple(_with_sign(part, plus=plus) for part in node.args))
        case Relation():
            return Relation(node.operators, tuple(_with_sign(part, plus=plus) for part in node.sides))
        case Collection():
            return Collection(node.kind, tuple(_with_sign(part, plus=plus) for part in node.items))
        case _:
            return node


def in_shape_of(model: Node, node: Node) -> Node:
    """Rewrite `x = 2, y = 3` where the model is a tuple, `[[1, 2], [3, 4]]` a matrix, `2 to 3` a ratio."""
    if not isinstance(model, Collection):
        return node
    if model.kind is Kind.RATIO and isinstance(node, Collection) and node.kind is Kind.SPAN:
        return Collection(Kind.RATIO, node.items)
    if model.kind is Kind.TUPLE:
        values = values_by_name(node) or components(node, len(model.items))
        return node if values is None else Collection(Kind.TUPLE, values)
    if model.kind is Kind.LIST and isinstance(node, Collection) and node.kind is Kind.LIST:
        return by_turns(model, node)
    if model.kind is Kind.MATRIX:
        is_column = all(len(children(row)) == 1 for row in model.items)
        if is_column and (column := components(node, len(model.items))):
            return Collection(Kind.MATRIX, tuple(Collection(Kind.ROW, (each,)) for each in column))
        rows = [_bracketed(row) for row in _bracketed(node) or ()]
        if rows and None not in rows:
            return Collection(Kind.MATRIX, tuple(Collection(Kind.ROW, row) for row in rows if row))
    return node


def _bracketed(node: Node) -> tuple[Node, ...] | None:
    """Return what square brackets hold; two items were read as an interval."""
    if isinstance(node, Collection) and node.kind is Kind.TUPLE:
        return node.items
    if isinstance(node, Interval) and node.low_closed and node.high_closed:
        return (node.low, node.high)
    return None


def ratio_as_quotient(node: Node) -> Node:
    """Return `a:b` as `a/b`; anything else as it is."""
    if isinstance(node, Collection) and node.kind is Kind.RATIO and len(node.items) == 2:
        return Apply("div", node.items)
    return node


def crossed(one: Collection, other: Collection) -> tuple[Node, ...]:
    """Return each item of `one` times the first of `other`: equal both ways for equal ratios."""
    return tuple(Apply("mul", (item, other.items[0])) for item in one.items)


def number(value: int | Fraction) -> Number:
    return Number(Fraction(value))
