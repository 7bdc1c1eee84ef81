"""Layers 0 to 4: everything that is decided without another process.

layer       decides
text        the same characters, up to spacing and what was peeled off
numbers     two plain numbers, with their units
values      shapes, exact rationals, samples at 100 digits, as far as the meter goes
algebra     what is left: see `symbolic`, in a worker
"""

import contextlib
import re
from dataclasses import dataclass
from enum import Enum
from fractions import Fraction

from reward_server.rewards.math import prose
from reward_server.rewards.math.boxes import canonical
from reward_server.rewards.math.clock import CLOCK
from reward_server.rewards.math.commas import in_english
from reward_server.rewards.math.compare import check_values, compare
from reward_server.rewards.math.expected import read_as
from reward_server.rewards.math.matrices import worked_out
from reward_server.rewards.math.meter import OverBudgetError
from reward_server.rewards.math.numbers import Measured
from reward_server.rewards.math.reading import DOLLARS, bare, read, scaled
from reward_server.rewards.math.sampled import Match, Sampler
from reward_server.rewards.math.tokens import MAX_DIGITS
from reward_server.rewards.math.tree import (
    Apply,
    HostileAnswerError,
    NoAnswerError,
    Node,
    Number,
    StrangeAnswerError,
    Symbol,
    Text,
    symbols,
)
from reward_server.rewards.math.units import ANY_LENGTH, OTHER_MONEY, PERCENT, Unit

# In the working of GSM8K, `$<<4*4.5=18>>18`.
_MONEY = re.compile(r"\$ ?(?:<<[^<>]{0,200}>>)?(\d[\d,]{0,30}(?:\.\d{1,10})?)", re.ASCII)


class Layer(Enum):
    """Which layer decided."""

    TEXT = "text"
    NUMBERS = "numbers"
    VALUES = "values"
    ALGEBRA = "algebra"


@dataclass(frozen=True, kw_only=True, slots=True)
class Gold:
    """A reference as read. `text` is for people, `canonical` for comparison as a string.

    `node` is what its value is, or the reason why it cannot be read: then only the same
    string is known to be right. `dollars` says that its working ends in money, though
    nothing is written beside the number.
    """

    text: str
    canonical: str
    node: Node | str
    unit: Unit | None = None
    integer: int | None = None
    dollars: bool = False


class UnreadGoldError(StrangeAnswerError):
    """The reference cannot be read, and the answer is not the same string."""


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
    try:
        measured = read((in_english(final) or final) if final.startswith("0,") else final)
    except HostileAnswerError:
        raise
    except StrangeAnswerError as error:
        return Gold(text=final, canonical=canonical(final), node=_unread(final, error))
    node = worked_out(measured.node)
    sampler.meter.restart()
    with contextlib.suppress(OverBudgetError):
        check_values(sampler, node)
    integer: int | None = None
    # A percentage has two values: 100% is 1. A time of day is no number.
    if isinstance(node, Number) and node.value.denominator == 1 and measured.unit not in (PERCENT, CLOCK):
        integer = int(node.value)
    return Gold(
        text=final,
        canonical=canonical(final),
        node=node,
        unit=measured.unit,
        integer=integer,
        dollars=measured.unit is None and _ends_in_money(text),
    )


def _ends_in_money(text: str) -> bool:
    working, _, final = text.rpartition("####")
    shown = _MONEY.findall(working)
    return bool(shown) and shown[-1].replace(",", "") == final.strip().replace(",", "")


def _unread(text: str, error: StrangeAnswerError) -> Node | str:
    """Return the words of a reference that is no mathematics, or why its notation is not read.

    Raises:
        StrangeAnswerError: nothing can be compared with it.
    """
    if prose.is_words(text):
        return Text(prose.folded(text))
    pairs = ("{}", "()", "[]")
    if (
        text.isnumeric()
        or not any(map(str.isalpha, text))
        or any(text.count(a) != text.count(b) for a, b in pairs)
    ):
        raise error
    return str(error)


def judge(sampler: Sampler, gold: Gold, answer: str) -> Judged | Undecided:
    """Judge an answer.

    Raises:
        NoAnswerError: there is none.
        StrangeAnswerError: the answer cannot be read as one answer.
        HostileAnswerError: the answer is over the limits, or has control characters.
        UnreadGoldError: only the same string would be known to be right.
    """
    found = _judge_integer(gold, answer)
    if found is not None:
        return found
    text = bare(answer)
    if not text:
        raise NoAnswerError("empty")
    if canonical(text) == gold.canonical:
        return Judged(correct=True, layer=Layer.TEXT, answer=text)
    found = _judge_integer(gold, text)
    if found is not None:
        return found
    if isinstance(gold.node, str):
        raise UnreadGoldError(gold.node)
    if isinstance(gold.node, Text):
        same = prose.folded(text) == gold.node.words and "?" not in text
        return Judged(correct=same, layer=Layer.TEXT, answer=text)
    if text.isalpha() and len(text) > 1 and text.lower() == gold.canonical.lower():
        return Judged(correct=True, layer=Layer.TEXT, answer=text)
    return _judge_values(sampler, gold, gold.node, text)


def _judge_integer(gold: Gold, text: str) -> Judged | None:
    """Judge a whole number against a whole number, the commonest pair by far."""
    if gold.integer is None or not (text.isdecimal() and text.isascii()) or len(text) > MAX_DIGITS:
        return None
    return Judged(correct=int(text) == gold.integer, layer=Layer.NUMBERS, answer=text)


def _judge_values(sampler: Sampler, gold: Gold, node: Node, text: str) -> Judged | Undecided:
    # A gold with a symbol could mean that k.
    measured = read_as(node, gold.unit, text) or read(text)
    plain = isinstance(node, Number) and isinstance(measured.node, Number)
    layer = Layer.NUMBERS if plain else Layer.VALUES
    unit = DOLLARS if gold.dollars and measured.unit in OTHER_MONEY else gold.unit
    pairs = _in_one_unit(node, unit, measured)
    if not pairs:
        return Judged(correct=False, layer=layer, answer=text, note=", units differ")
    sampler.meter.restart()
    unsure: Undecided | None = None
    for left, right in pairs:
        try:
            match = compare(sampler, left, right)
        except OverBudgetError:
            match = Match.UNKNOWN
        if match is Match.EQUAL:
            return Judged(correct=True, layer=layer, answer=text)
        if match is Match.UNKNOWN:
            unsure = Undecided(gold=left, answer=right, text=text)
    return unsure or Judged(correct=False, layer=layer, answer=text, note=_why_not(node, measured.node))


def _why_not(gold: Node, answer: Node) -> str:
    extra = symbols(answer) - symbols(gold) if isinstance(answer, Apply | Symbol) else frozenset[str]()
    return f", where {', '.join(sorted(extra))} does not cancel" if extra else ""


def _in_one_unit(gold: Node, unit: Unit | None, answer: Measured) -> list[tuple[Node, Node]]:
    """Return the pairs of which one must be equal; none if the units do not go together."""
    left, right = _kind(unit), _kind(answer.unit)
    # A number is no time of day: 12:30 a.m. is counted as 30 minutes.
    if left != right and CLOCK in (left, right):
        return []
    if left is None or right is None:
        pairs = [(gold, answer.node)]
        if PERCENT in (left, right):
            hundredth = Fraction(1, 100)
            percent_side = gold if left == PERCENT else answer.node
            as_fraction = scaled(_without_decimals(percent_side), hundredth)
            pairs.append((as_fraction, answer.node) if left == PERCENT else (gold, as_fraction))
        return pairs
    if left.dimension != right.dimension:
        powers = [sum(power for _, power in each.dimension) for each in (left, right)]
        unnamed = any(each.dimension[0][0] == ANY_LENGTH for each in (left, right))
        return [(gold, answer.node)] if unnamed and powers[0] == powers[1] else []
    return [(gold, scaled(answer.node, right.scale / left.scale))]


def _kind(unit: Unit | None) -> Unit | None:
    """Return None for no unit and for one that says nothing, such as "in total"."""
    return unit if unit is not None and unit.dimension else None


def _without_decimals(node: Node) -> Node:
    """Forget how many decimals were shown: a hundredth of a rounded number is rounded elsewhere."""
    return Number(node.value) if isinstance(node, Number) else node
