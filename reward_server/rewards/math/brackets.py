"""What brackets hold: groups, tuples, intervals, sets, absolute values, matrices."""

import re
from typing import TYPE_CHECKING

from reward_server.rewards.math.determinants import determinant
from reward_server.rewards.math.tree import (
    EMPTY,
    REALS,
    Apply,
    Collection,
    Interval,
    Kind,
    Node,
    StrangeAnswerError,
    Symbol,
)

if TYPE_CHECKING:
    from reward_server.rewards.math.parser import Parser

_MATRICES = frozenset(("matrix", "pmatrix", "bmatrix", "Bmatrix", "vmatrix", "smallmatrix", "array"))


def bracket(parser: "Parser", mark: str) -> Node:
    match mark:
        case "(" | "[" | "]":
            return _round_or_square(parser, mark)
        case "{":
            return _plain_braces(parser)
        case "|":
            parser.open_bars += 1
            inside = parser.expression()
            parser.expect("|")
            parser.open_bars -= 1
            return determinant(inside) if _is_matrix(inside) else Apply("abs", (inside,))
        case _:
            raise StrangeAnswerError(f"unexpected {mark!r}")


def _round_or_square(parser: "Parser", opening: str) -> Node:
    bars, parser.open_bars = parser.open_bars, 0
    found = [parser.relation()]
    while parser.accept(",") or parser.accept(";"):
        found.append(parser.relation())
    parser.open_bars = bars
    closing = parser.next().text
    if closing not in (")", "]", "["):
        raise StrangeAnswerError(f"{opening!r} is never closed")
    if len(found) == 1 and f"{opening}{closing}" in ("()", "[]"):
        return found[0]
    if opening == "(" and closing == ")":
        return Collection(Kind.TUPLE, tuple(found))
    if len(found) == 2:
        return Interval(found[0], found[1], low_closed=opening == "[", high_closed=closing == "]")
    if opening == "[" and closing == "]":
        return Collection(Kind.TUPLE, tuple(found))
    raise StrangeAnswerError("brackets that do not match")


def _plain_braces(parser: "Parser") -> Node:
    """Braces group in LaTeX; with several items they are a set written plainly."""
    if parser.accept("}"):
        return EMPTY
    node = parser.values()
    parser.expect("}")
    if isinstance(node, Collection) and node.kind is Kind.LIST:
        return Collection(Kind.SET, node.items)
    return node


def braced_set(parser: "Parser", closing: str) -> Node:
    """Read a set by its items, or by a condition: `\\{x \\mid x > 3\\}`."""
    if parser.accept(closing):
        return EMPTY
    bars, parser.open_bars = parser.open_bars, 1  # a bar here is no absolute value
    first = parser.expression(parser.ABOVE_RATIO)
    if isinstance(first, Symbol) and parser.accept("\\in") and parser.atom() != REALS:
        raise StrangeAnswerError("a set of something other than reals")
    parser.open_bars = bars
    if parser.accept("\\mid") or parser.accept("|") or parser.accept(":"):
        if not isinstance(first, Symbol):
            raise StrangeAnswerError("a set of something other than a symbol")
        condition = parser.values()
        parser.expect(closing)
        return condition
    found = [parser.relation(first)]
    while parser.accept(",") or parser.accept(";"):
        found.append(parser.relation())
    parser.expect(closing)
    return Collection(Kind.SET, tuple(found))


def items(parser: "Parser", closing: str, kind: Kind) -> Node:
    """Read items up to the closing mark."""
    found = [parser.relation()]
    while parser.accept(",") or parser.accept(";"):
        found.append(parser.relation())
    parser.expect(closing)
    return Collection(kind, tuple(found))


def matrix(parser: "Parser") -> Node:
    name = _environment(parser)
    if name not in _MATRICES:
        raise StrangeAnswerError(f"unknown environment {name!r}")
    if name == "array" and parser.accept("{"):
        while not parser.accept("}"):
            if parser.next().kind == "end":
                raise StrangeAnswerError("an array without an end")
    rows: list[Node] = []
    row: list[Node] = [parser.relation()]
    while not parser.accept("\\end"):
        if parser.accept("&"):
            row.append(parser.relation())
            continue
        parser.expect("\\\\")
        rows.append(Collection(Kind.ROW, tuple(row)))
        row = [] if parser.looking_at("\\end") else [parser.relation()]
    if _name_after(parser) != name:
        raise StrangeAnswerError("an environment with another's end")
    if row:
        rows.append(Collection(Kind.ROW, tuple(row)))
    found = Collection(Kind.MATRIX, tuple(rows))
    return determinant(found) if name == "vmatrix" else found


def _is_matrix(node: Node) -> bool:
    return isinstance(node, Collection) and node.kind is Kind.MATRIX


def _environment(parser: "Parser") -> str:
    return re.sub(r"\*$", "", _name_after(parser))


def _name_after(parser: "Parser") -> str:
    parser.expect("{")
    name = parser.next().text
    parser.accept("*")
    parser.expect("}")
    return name
