"""Arithmetic of matrices, written out entry by entry: sums, products, multiples."""

from fractions import Fraction
from functools import reduce

from reward_server.rewards.math.tree import (
    Apply,
    Collection,
    Kind,
    Node,
    Number,
    StrangeAnswerError,
    TooLargeError,
    children,
)

_HEADS = frozenset(("add", "mul", "neg", "div"))
_MOST_ENTRIES = 36
_MOST_FACTORS = 3
_Rows = tuple[tuple[Node, ...], ...]


def worked_out(node: Node) -> Node:
    """Return the matrix that a sum or product of matrices is; anything else as it is.

    Raises:
        StrangeAnswerError: their shapes do not go together.
        TooLargeError: too many entries or factors.
    """
    if not isinstance(node, Apply) or node.head not in _HEADS or not _holds_matrix(node):
        return node
    parts = [worked_out(part) for part in node.args]
    match node.head:
        case "add":
            return _matrix(reduce(_sum, map(_rows, parts)))
        case "neg":
            return _matrix(_times(Number(Fraction(-1)), _rows(parts[0])))
        case "div" if not is_matrix(parts[1]):
            return _matrix(_times(Apply("div", (Number(Fraction(1)), parts[1])), _rows(parts[0])))
        case "mul":
            return _matrix(_product(parts))
        case _:
            raise StrangeAnswerError("a division by a matrix")


def _holds_matrix(node: Apply) -> bool:
    return any(
        is_matrix(part) or (isinstance(part, Apply) and _holds_matrix(part)) for part in children(node)
    )


def is_matrix(node: Node) -> bool:
    return isinstance(node, Collection) and node.kind is Kind.MATRIX


def _rows(node: Node) -> _Rows:
    if not isinstance(node, Collection) or node.kind is not Kind.MATRIX:
        raise StrangeAnswerError("a number and a matrix added")
    rows = tuple(row.items for row in node.items if isinstance(row, Collection))
    if len({len(row) for row in rows}) != 1:
        raise StrangeAnswerError("a matrix with rows of different lengths")
    if sum(map(len, rows)) > _MOST_ENTRIES:
        raise TooLargeError(f"arithmetic of matrices with over {_MOST_ENTRIES} entries")
    return rows


def _matrix(rows: _Rows) -> Collection:
    return Collection(Kind.MATRIX, tuple(Collection(Kind.ROW, row) for row in rows))


def _sum(left: _Rows, right: _Rows) -> _Rows:
    if (len(left), len(left[0])) != (len(right), len(right[0])):
        raise StrangeAnswerError("a sum of matrices of different shapes")
    return tuple(
        tuple(Apply("add", pair) for pair in zip(one, other, strict=True))
        for one, other in zip(left, right, strict=True)
    )


def _times(factor: Node, rows: _Rows) -> _Rows:
    return tuple(tuple(Apply("mul", (factor, entry)) for entry in row) for row in rows)


def _product(parts: list[Node]) -> _Rows:
    factors = [part for part in parts if not is_matrix(part)]
    matrices = [_rows(part) for part in parts if is_matrix(part)]
    if len(matrices) > _MOST_FACTORS:
        raise TooLargeError(f"a product of over {_MOST_FACTORS} matrices")
    product = reduce(_rows_by_columns, matrices)
    return _times(Apply("mul", tuple(factors)), product) if factors else product


def _rows_by_columns(left: _Rows, right: _Rows) -> _Rows:
    if len(left[0]) != len(right):
        raise StrangeAnswerError("a product of matrices whose shapes do not go together")
    columns = tuple(zip(*right, strict=True))
    return tuple(
        tuple(
            Apply("add", tuple(Apply("mul", pair) for pair in zip(row, column, strict=True)))
            for column in columns
        )
        for row in left
    )
