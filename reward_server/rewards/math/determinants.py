"""The determinant of a small matrix, written out as an expression."""

from fractions import Fraction
from itertools import permutations

from reward_server.rewards.math.tree import Apply, Collection, Kind, Node, Number, StrangeAnswerError

# 24 products of four; a larger one is no answer that anybody writes.
_MOST_ROWS = 4


def determinant(node: Node) -> Node:
    """Write a determinant by Leibniz's formula.

    Raises:
        StrangeAnswerError: not a square matrix of at most four rows.
    """
    if not isinstance(node, Collection) or node.kind is not Kind.MATRIX:
        raise StrangeAnswerError("a determinant of something other than a matrix")
    rows = [row.items for row in node.items if isinstance(row, Collection)]
    size = len(rows)
    if size > _MOST_ROWS or any(len(row) != size for row in rows):
        raise StrangeAnswerError(f"a determinant of a matrix that is not square, or over {_MOST_ROWS} rows")
    return Apply("add", tuple(_product(rows, columns) for columns in permutations(range(size))))


def _product(rows: list[tuple[Node, ...]], columns: tuple[int, ...]) -> Node:
    crossings = sum(left > right for place, left in enumerate(columns) for right in columns[place + 1 :])
    entries = tuple(row[column] for row, column in zip(rows, columns, strict=True))
    return Apply("mul", (Number(Fraction((-1) ** crossings)), *entries))
