"""Sums of unit vectors, `2\\hat{i} - 3\\hat{j}` or `2\\mathbf{i} - 3\\mathbf{j}`, as their components.

Letters without a mark are no unit vectors: `2i` is imaginary.
"""

import re
from fractions import Fraction

from reward_server.rewards.math.names import UNIT_VECTORS
from reward_server.rewards.math.tree import Apply, Node, Number, Symbol, symbols

_MARK = r"\\(?:(?:wide)?hat|vec|mathbf)\s*"
_LETTER = r"(?:\{ ?(?:[ijk]|\\[ij]math) ?\}|(?:[ijk]|\\[ij]math)(?![A-Za-z]))"
_MARKED = re.compile(rf"{_MARK}(?:\{{ ?{_MARK}{_LETTER} ?\}}|{_LETTER})")
_WHICH = re.compile(r"(?<![a-z])([ijk])(?:math)?(?![a-z])")
_NAMES = tuple(f"\\{name}" for name in UNIT_VECTORS)


def in_commands(text: str) -> str:
    """Return the text with one command for each unit vector, however it is marked.

    A bold letter alone may be a name of anything.
    """
    if not any(mark in text for mark in ("hat", "\\vec", "\\mathbf")) or _MARKED.fullmatch(text):
        return text
    return _MARKED.sub(_command, text)


def components(node: Node, size: int) -> tuple[Node, ...] | None:
    """Return the components of a sum of unit vectors; None if it is none, or does not fit into so many."""
    beyond = frozenset(_NAMES[size:])
    if size not in (2, 3) or not _is_vector(node) or not beyond.isdisjoint(symbols(node)):
        return None
    return tuple(_component(node, name) for name in _NAMES[:size])


def _command(found: re.Match[str]) -> str:
    which = _WHICH.search(found[0])
    return f"\\hat{which[1]} " if which else found[0]


def _is_scalar(node: Node) -> bool:
    return symbols(node).isdisjoint(_NAMES)


def _is_vector(node: Node) -> bool:
    """Tell whether the node is a unit vector, a multiple of a vector or a sum of vectors."""
    if isinstance(node, Symbol):
        return node.name in _NAMES
    if not isinstance(node, Apply):
        return False
    match node.head:
        case "neg" | "add":
            return all(map(_is_vector, node.args))
        case "mul":
            vectors = [part for part in node.args if not _is_scalar(part)]
            return len(vectors) == 1 and _is_vector(vectors[0])
        case "div":
            return _is_vector(node.args[0]) and _is_scalar(node.args[1])
        case _:
            return False


def _component(node: Node, name: str) -> Node:
    if isinstance(node, Symbol) and node.name in _NAMES:
        return Number(Fraction(node.name == name))
    if isinstance(node, Apply):
        return Apply(node.head, tuple(_component(part, name) for part in node.args))
    return node
