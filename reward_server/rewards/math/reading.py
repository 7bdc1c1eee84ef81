"""From the text of an answer to a tree and a unit: cleaning, peeling, numbers, parsing."""

import re
from fractions import Fraction

from reward_server.rewards.math.calculations import read_calculation
from reward_server.rewards.math.clean import clean
from reward_server.rewards.math.clock import read_time
from reward_server.rewards.math.compound import read_compound
from reward_server.rewards.math.notations import in_words
from reward_server.rewards.math.numbers import Measured, read_number, read_unit
from reward_server.rewards.math.parser import parse
from reward_server.rewards.math.peeling import peel
from reward_server.rewards.math.prose import without_points
from reward_server.rewards.math.tree import Apply, Node, Number, StrangeAnswerError, TooLargeError
from reward_server.rewards.math.units import NO_UNIT_WORDS, PERCENT, Unit, lookup

MAX_CHARACTERS = 2_000
DEGREES = Unit(dimension=(("angle", 1),), scale=Fraction(1))
DOLLARS = Unit(dimension=(("dollar", 1),), scale=Fraction(1))
_TOP_UNITS = {"percent": PERCENT, "degrees": DEGREES}

_UNIT_COMMAND = re.compile(
    r"(?:\\[ ,;!]|~|\s)*\\(?:text|mbox|mathrm|textrm|textbf|rm)\s*\{[^{}]*\}"
    r"(?:\^\{?\d\}?|\^\{?\\circ\}?)?\s*$"
)
_GROUPED = re.compile(r"[-+$]{0,2}\d{1,3}(?: \d{3})+(?![\d/])", re.ASCII)
_TWICE = re.compile(r"([\w ,.$-]{1,80}) \(([\w ,.$-]{1,80})\)")
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
    cleaned = clean(text)
    # One character can stand for a whole command.
    if len(cleaned) > 2 * MAX_CHARACTERS:
        raise TooLargeError(f"{len(text)} characters that stand for more")
    return peel(cleaned)


def read(text: str) -> Measured:
    """Read a bare answer.

    Raises:
        StrangeAnswerError: not of the subset.
        TooLargeError: over the limits.
    """
    return (
        read_number(text)
        or _read_long_number(text)
        or read_compound(text)
        or (read_time(text) if ":" in text else None)
        or (read_calculation(text) if "=" in text else None)
        or _read_expression(in_words(text))
    )


def _read_long_number(text: str) -> Measured | None:
    """Read `70 000`, in groups of exactly three digits, `15 (fifteen)` and `15 (dollars)`.

    Raises:
        StrangeAnswerError: the two numbers differ.
    """
    if " " not in text:
        return None
    if grouped := _GROUPED.match(text):
        return read_number(grouped[0].replace(" ", "") + text[grouped.end() :])
    if not (twice := _TWICE.fullmatch(text)) or twice[1][-1:].isalpha() == twice[2][-1:].isalpha():
        return None
    one, other = read_number(twice[1]), read_number(twice[2])
    if one is None:
        return None
    if other is None:
        unit = read_unit(twice[2])
        return None if unit is None or one.unit is not None else Measured(node=one.node, unit=unit)
    values = [each.node.value for each in (one, other) if isinstance(each.node, Number)]
    if values[0] != values[-1]:
        raise StrangeAnswerError("two numbers that differ")
    return one


def _read_expression(text: str) -> Measured:
    text = without_points(text)
    if text.count("$") % 2 == 0 or "=" in text:
        text = text.replace("\\$", "$").replace("$", "") if "=" in text else text.replace("$", "")
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
    found = _UNIT_COMMAND.search(text, tail_start) if "{" in text else None
    if found is not None:
        body = text[: found.start()].rstrip()
        unit = read_unit(found[0])
        if body and unit is not None and body[-1] not in _OPEN_ENDED:
            return body, unit
    body, _, last = text.rpartition(" ")
    word = last.partition("^")[0]
    is_unit = len(word) > 1 and word.isalpha() and (lookup(word) is not None or word in NO_UNIT_WORDS)
    if body and is_unit and body[-1] not in _OPEN_ENDED:
        return body, read_unit(last)
    return text, None


def scaled(node: Node, factor: Fraction) -> Node:
    """Return `factor` times the node."""
    if factor == 1:
        return node
    if isinstance(node, Number):
        return Number(node.value * factor, node.decimals, node.digits)
    return Apply("mul", (Number(factor), node))
