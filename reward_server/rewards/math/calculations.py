"""An answer with its own calculation: `12 boxes * 7 = 84 apples`, `20% of 50 = 10`.

The value is the last one, with its unit. Every step must have that value, too: nouns and
currency signs in the steps say nothing, other words end the reading.
"""

import re
from functools import partial

from reward_server.rewards.math.names import NAMES
from reward_server.rewards.math.numbers import Measured, read_number
from reward_server.rewards.math.parser import parse
from reward_server.rewards.math.tree import Apply, Relation, StrangeAnswerError, symbols
from reward_server.rewards.math.units import PERCENT, is_noun

_MOST_STEPS = 6
_OF = re.compile(r"(?<=[\d%}]) of (?=[$\d])")
_WORD = re.compile(r"(?<![\\A-Za-z])(?:[A-Za-z]{3,}|(?<=\d )[a-z]{2})(?![A-Za-z(])(?:/[A-Za-z]{3,})?\.?")
_MONEY = re.compile(r"\\?\$(?=\d)")
_WRAPPED = re.compile(r"\\(?:text|mathrm|textrm|mbox)\s*\{([^{}]*)\}")


def read_calculation(text: str) -> Measured | None:
    """Read steps and a last number with its unit; None if the text is not of that form."""
    *steps, last = text.split("=")
    if not 0 < len(steps) <= _MOST_STEPS or not any(map(str.isdigit, steps[0])):
        return None
    found = read_number(_WRAPPED.sub(r"\1", last).strip())
    if found is None:
        return None
    try:
        nodes = [parse(_WORD.sub(partial(_without_noun), _arithmetic(step))) for step in steps]
    except StrangeAnswerError:
        return None
    if any(map(symbols, nodes)):
        return None
    if found.unit == PERCENT:
        found = Measured(node=Apply("percent", (found.node,)))
    return Measured(node=Relation(("=",) * len(steps), (*nodes, found.node)), unit=found.unit)


def _arithmetic(step: str) -> str:
    return _OF.sub(" * ", _MONEY.sub("", _WRAPPED.sub(r" \1", step)))


def _without_noun(found: re.Match[str]) -> str:
    word = found[0].rstrip(".")
    return found[0] if word in NAMES or not all(map(is_noun, word.split("/"))) else ""
