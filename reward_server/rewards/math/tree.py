"""The own small tree of a mathematical answer: plain data, no computation.

Tuples, lists, sets, intervals, ratios, matrices and relations are kept apart, so
that comparison is by shape first. A tree has bounded size by construction (the
parser counts), so recursion over it is safe.

`to_json` writes a tree for a worker; the worker reads it back node by node, and at
no point does text of an answer reach anything that evaluates text.
"""

from dataclasses import dataclass
from enum import Enum
from fractions import Fraction
from typing import Any

MAX_DEPTH = 64
MAX_NODES = 400


class StrangeAnswerError(ValueError):
    """The text is not of the subset that is read, or has no mathematical sense."""


class HostileAnswerError(StrangeAnswerError):
    """No honest answer looks like this."""


class TooLargeError(HostileAnswerError):
    """The text, or a number it names, is over the limits of this package."""


class NoAnswerError(StrangeAnswerError):
    """Nothing is left once what stands around the answer is taken off."""


class Kind(Enum):
    """What holds several values together. Sets and lists have no order."""

    TUPLE = "tuple"
    LIST = "list"
    SET = "set"
    RATIO = "ratio"
    SPAN = "span"  # "2 to 3": a ratio where the other side is one, else a range
    RESIDUE = "residue"  # least remainder and modulus
    MATRIX = "matrix"  # items are rows
    ROW = "row"


# Positional on purpose: trees are built and matched by shape.
@dataclass(frozen=True, slots=True)
class Number:
    """A literal. `decimals` counts the digits shown after a decimal point."""

    value: Fraction
    decimals: int = 0
    digits: int = 0


@dataclass(frozen=True, slots=True)
class Symbol:
    name: str


@dataclass(frozen=True, slots=True)
class Apply:
    """An operation, a function or (without arguments) a constant; see `HEADS`."""

    head: str
    args: "tuple[Node, ...]" = ()


@dataclass(frozen=True, slots=True)
class Collection:
    kind: Kind
    items: "tuple[Node, ...]"


@dataclass(frozen=True, slots=True)
class Interval:
    low: "Node"
    high: "Node"
    low_closed: bool
    high_closed: bool


@dataclass(frozen=True, slots=True)
class Relation:
    """A chain such as `1 < x <= 3`: one operator fewer than sides."""

    operators: tuple[str, ...]
    sides: "tuple[Node, ...]"


@dataclass(frozen=True, slots=True)
class Text:
    """Words, folded to lower case unless a single letter."""

    words: str


Node = Number | Symbol | Apply | Collection | Interval | Relation | Text
_LEAVES = (Number, Symbol, Text)

EMPTY = Apply("empty")
REALS = Apply("reals")
INFINITY = Apply("infinity")
MINUS_INFINITY = Apply("neg", (INFINITY,))

# Every head, with how many arguments it takes (-1: any number).
HEADS = {
    "add": -1, "mul": -1, "div": 2, "pow": 2, "neg": 1, "pm": 2,
    "pi": 0, "e": 0, "i": 0, "infinity": 0, "empty": 0, "reals": 0,
    "abs": 1, "floor": 1, "ceil": 1, "factorial": 1, "binomial": 2, "log": 2, "ln": 1, "degrees": 1,
    "percent": 1,
    "sin": 1, "cos": 1, "tan": 1, "cot": 1, "sec": 1, "csc": 1,
    "asin": 1, "acos": 1, "atan": 1, "sinh": 1, "cosh": 1, "tanh": 1,
    "conjugate": 1, "sum": 4, "product": 4, "integral": 4, "limit": 3,
    "gcd": 2, "lcm": 2, "max": -1, "min": -1, "union": 2, "intersection": 2, "setminus": 2,
}  # fmt: skip
# These bind the name that is their second argument, in the first.
BINDERS = frozenset(("sum", "product", "integral", "limit"))


def children(node: Node) -> tuple[Node, ...]:
    """Return the direct parts of a node."""
    if isinstance(node, Apply):
        return node.args
    if isinstance(node, _LEAVES):
        return ()
    match node:
        case Collection(items=parts) | Relation(sides=parts):
            return parts
        case Interval():
            return (node.low, node.high)


def symbols(node: Node) -> frozenset[str]:
    """Return the names of the free symbols."""
    found: set[str] = set()
    waiting = [node]
    while waiting:
        part = waiting.pop()
        if isinstance(part, Symbol):
            found.add(part.name)
        elif isinstance(part, Apply) and part.head in BINDERS:
            body, name, *bounds = part.args
            found |= symbols(body) - symbols(name)
            waiting += bounds
        else:
            waiting += children(part)
    return frozenset(found)


def replaced(node: Node, old: Node, new: Node) -> Node:
    """Return an expression with each `old` in it turned into `new`."""
    if node == old:
        return new
    if isinstance(node, Apply):
        return Apply(node.head, tuple(replaced(part, old, new) for part in node.args))
    return node


def has_head(node: Node, head: str) -> bool:
    """Tell whether a head occurs."""
    waiting = [node]
    while waiting:
        part = waiting.pop()
        if isinstance(part, Apply) and part.head == head:
            return True
        waiting += children(part)
    return False


def to_json(node: Node) -> list[Any]:
    """Write a tree as nested lists: a tag, then its parts."""
    match node:
        case Number(value=value):
            return ["number", value.numerator, value.denominator, node.decimals, node.digits]
        case Symbol(name=name):
            return ["symbol", name]
        case Apply():
            return ["apply", node.head, *map(to_json, node.args)]
        case Collection():
            return ["collection", node.kind.value, *map(to_json, node.items)]
        case Interval():
            ends = [node.low_closed, node.high_closed]
            return ["interval", *ends, to_json(node.low), to_json(node.high)]
        case Relation():
            return ["relation", list(node.operators), *map(to_json, node.sides)]
        case Text(words=words):
            return ["text", words]


def from_json(data: list[Any]) -> Node:
    """Read what `to_json` wrote.

    Raises:
        StrangeAnswerError: an unknown tag or head.
    """
    tag, *rest = data
    match tag:
        case "number":
            return Number(Fraction(rest[0], rest[1]), rest[2], rest[3])
        case "symbol":
            return Symbol(rest[0])
        case "apply" if rest[0] in HEADS:
            return Apply(rest[0], tuple(map(from_json, rest[1:])))
        case "collection":
            return Collection(Kind(rest[0]), tuple(map(from_json, rest[1:])))
        case "interval":
            return Interval(from_json(rest[2]), from_json(rest[3]), low_closed=rest[0], high_closed=rest[1])
        case "relation":
            return Relation(tuple(rest[0]), tuple(map(from_json, rest[1:])))
        case "text":
            return Text(rest[0])
        case _:
            raise StrangeAnswerError(f"unknown node {data[:2]!r}")
