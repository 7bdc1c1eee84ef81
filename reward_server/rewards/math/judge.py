"""Layers 0 to 4: everything that is decided without another process.

layer       decides
text        the same characters, up to spacing and what was peeled off
numbers     two plain numbers, with their units
values      shapes, exact rationals, samples at 100 digits
algebra     what is left: see `symbolic`, in a worker
"""

from dataclasses import dataclass
from enum import Enum
from fractions import Fraction

from reward_server.rewards.math.compare import check_values, compare
from reward_server.rewards.math.numbers import Measured
from reward_server.rewards.math.peeling import canonical
from reward_server.rewards.math.points import POINTS
from reward_server.rewards.math.reading import PERCENT, bare, read, scaled
from reward_server.rewards.math.sampled import Match, Sampler
from reward_server.rewards.math.tokens import MAX_DIGITS
from reward_server.rewards.math.tree import (
    Apply,
    NoAnswerError,
    Node,
    Number,
    StrangeAnswerError,
    Text,
    children,
    symbols,
)
from reward_server.rewards.math.units import Unit

# In steps of about 4 microseconds; more than this is left to a worker.
MAX_INLINE_STEPS = 500
_DEAR_STEPS = 8
_CHEAP_HEADS = frozenset(("add", "mul", "neg", "div", "percent", "degrees", "pi", "e", "i"))


class Layer(Enum):
    """Which layer decided."""

    TEXT = "text"
    NUMBERS = "numbers"
    VALUES = "values"
    ALGEBRA = "algebra"


@dataclass(frozen=True, kw_only=True, slots=True)
class Gold:
    """A reference as read. `text` is for people, `canonical` for comparison as a string."""

    text: str
    canonical: str
    node: Node
    unit: Unit | None
    integer: int | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Judged:
    """Decided here."""

    correct: bool
    layer: Layer
    answer: str
    note: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Undecided:
    """For a worker: the two trees, brought to the same unit."""

    gold: Node
    answer: Node
    text: str


def read_gold(sampler: Sampler, text: str) -> Gold:
    """Read a reference answer; of a worked solution, what follows its last `####`.

    Raises:
        StrangeAnswerError: it is empty, cannot be read, or has no value.
    """
    final = bare(text.rpartition("####")[2])
    if not final:
        raise StrangeAnswerError("empty")
    measured = read(final)
    node = measured.node
    if steps(node) <= MAX_INLINE_STEPS:
        check_values(sampler, node)
    integer: int | None = None
    # A percentage has two values: 100% is 1.
    if isinstance(node, Number) and node.value.denominator == 1 and measured.unit != PERCENT:
        integer = int(node.value)
    return Gold(
        text=final,
        canonical=canonical(final),
        node=node,
        unit=measured.unit,
        integer=integer,
    )


def judge(sampler: Sampler, gold: Gold, answer: str) -> Judged | Undecided:
    """Judge an answer.

    Raises:
        NoAnswerError: there is none.
        StrangeAnswerError: the answer cannot be read as one answer.
        HostileAnswerError: the answer is over the limits, or has control characters.
    """
    if gold.integer is not None and answer.isdecimal() and answer.isascii() and len(answer) <= MAX_DIGITS:
        return Judged(correct=int(answer) == gold.integer, layer=Layer.NUMBERS, answer=answer)
    text = bare(answer)
    if not text:
        raise NoAnswerError("empty")
    if canonical(text) == gold.canonical or _same_words(gold, text):
        return Judged(correct=True, layer=Layer.TEXT, answer=text)
    return _judge_values(sampler, gold, text)


def _judge_values(sampler: Sampler, gold: Gold, text: str) -> Judged | Undecided:
    measured = read(text)
    plain = isinstance(gold.node, Number) and isinstance(measured.node, Number)
    layer = Layer.NUMBERS if plain else Layer.VALUES
    pairs = _in_one_unit(gold, measured)
    if not pairs:
        return Judged(correct=False, layer=layer, answer=text, note=", units differ")
    unsure: Undecided | None = None
    for left, right in pairs:
        match = Match.UNKNOWN
        if plain or steps(left) + steps(right) <= MAX_INLINE_STEPS:
            match = compare(sampler, left, right)
        if match is Match.EQUAL:
            return Judged(correct=True, layer=layer, answer=text)
        if match is Match.UNKNOWN:
            unsure = Undecided(gold=left, answer=right, text=text)
    return unsure or Judged(correct=False, layer=layer, answer=text)


def steps(node: Node) -> int:
    """Estimate what sampling a tree costs, in steps of about 4 microseconds."""
    once = _steps_once(node)
    return once * POINTS if symbols(node) else once


def _steps_once(node: Node) -> int:
    own = 1 if not isinstance(node, Apply) or node.head in _CHEAP_HEADS else _DEAR_STEPS
    return own + sum(_steps_once(part) for part in children(node))


def _same_words(gold: Gold, text: str) -> bool:
    """Compare words without case: "Yes" and "yes"; single letters keep theirs."""
    if isinstance(gold.node, Text) and len(text) > 1:
        return " ".join(text.lower().split()) == gold.node.words
    return len(text) > 1 and text.isalpha() and text.lower() == gold.canonical.lower()


def _in_one_unit(gold: Gold, answer: Measured) -> list[tuple[Node, Node]]:
    """Return the pairs of which one must be equal; none if the units do not go together."""
    left, right = _kind(gold.unit), _kind(answer.unit)
    if left is None or right is None:
        pairs = [(gold.node, answer.node)]
        if PERCENT in (left, right):
            hundredth = Fraction(1, 100)
            percent_side = gold.node if left == PERCENT else answer.node
            as_fraction = scaled(_without_decimals(percent_side), hundredth)
            pairs.append((as_fraction, answer.node) if left == PERCENT else (gold.node, as_fraction))
        return pairs
    if left.dimension != right.dimension:
        return []
    return [(gold.node, scaled(answer.node, right.scale / left.scale))]


def _kind(unit: Unit | None) -> Unit | None:
    """Return None for no unit and for one that says nothing, such as "in total"."""
    return unit if unit is not None and unit.dimension else None


def _without_decimals(node: Node) -> Node:
    """Forget how many decimals were shown: a hundredth of a rounded number is rounded elsewhere."""
    return Number(node.value) if isinstance(node, Number) else node
