"""From the text of an answer to a tree and a unit: cleaning, peeling, numbers, parsing."""

import re
from fractions import Fraction

from reward_server.rewards.math.clean import clean
from reward_server.rewards.math.numbers import Measured, read_number, read_unit
from reward_server.rewards.math.parser import parse
from reward_server.rewards.math.peeling import peel
from reward_server.rewards.math.tree import Apply, Node, Number, TooLargeError
from reward_server.rewards.math.units import Unit, lookup

MAX_CHARACTERS = 2_000
PERCENT = Unit(dimension=(("percent", 1),), scale=Fraction(1))
DEGREES = Unit(dimension=(("angle", 1),), scale=Fraction(1))
DOLLARS = Unit(dimension=(("dollar", 1),), scale=Fraction(1))
_TOP_UNITS = {"percent": PERCENT, "degrees": DEGREES}

_UNIT_COMMAND = re.compile(
    r"(?:\\[ ,;!]|~|\s)*\\(?:text|mbox|mathrm|textrm|textbf|rm)\s*\{[^{}]*\}"
    r"(?:\^\{?\d\}?|\^\{?\\circ\}?)?\s*$"
)
_CLOCK = re.compile(r"(?<![A-Za-z])([AaPp])\.\s?[Mm](?:\.|(?![A-Za-z]))")
_LONGEST_UNIT = 80
_OPEN_ENDED = frozenset("=+-*/^_,(<>{[")


def bare(text: str) -> str:
    """Return the answer's own text, cleaned and peeled.

    Raises:
        TooLargeError: over `MAX_CHARACTERS`.
        HostileAnswerError: control characters.
        StrangeAnswerError: no single answer.
    """
    if len(text) > MAX_CHARACTERS:
        raise TooLargeError(f"{len(text)} characters")
    return peel(clean(text))


def read(text: str) -> Measured:
    """Read a bare answer.

    Raises:
        StrangeAnswerError: not of the subset.
        TooLargeError: over the limits.
    """
    return read_number(text) or _read_expression(text)


def _read_expression(text: str) -> Measured:
    text = _CLOCK.sub(r"\1m", text)
    if text.count("$") % 2 == 0:
        text = text.replace("$", "")
    body, unit = _split_unit(text.replace("\\(", "").replace("\\)", ""))
    for money in ("\\$", "$"):
        if body.startswith(money):
            body, unit = body[len(money) :], unit or DOLLARS
    if unit is not None and (measured := read_number(body)) is not None and measured.unit is None:
        return Measured(node=measured.node, unit=unit)
    node = parse(body)
    if isinstance(node, Apply) and node.head in _TOP_UNITS and unit is None:
        return Measured(node=node.args[0], unit=_TOP_UNITS[node.head])
    return Measured(node=node, unit=unit)


def _split_unit(text: str) -> tuple[str, Unit | None]:
    """Split `9\\pi \\text{ cm}^2` or `9\\pi cm^2` into expression and unit."""
    tail_start = max(0, len(text) - _LONGEST_UNIT)
    found = _UNIT_COMMAND.search(text, tail_start)
    if found is not None:
        body = text[: found.start()].rstrip()
        unit = read_unit(found[0])
        if body and unit is not None and body[-1] not in _OPEN_ENDED:
            return body, unit
    body, _, last = text.rpartition(" ")
    word = last.partition("^")[0]
    if body and len(word) > 1 and word.isalpha() and lookup(word) is not None and body[-1] not in _OPEN_ENDED:
        return body, read_unit(last)
    return text, None


def scaled(node: Node, factor: Fraction) -> Node:
    """Return `factor` times the node."""
    if factor == 1:
        return node
    if isinstance(node, Number):
        return Number(node.value * factor, node.decimals, node.digits)
    return Apply("mul", (Number(factor), node))
