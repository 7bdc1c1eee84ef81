"""Big operators: sums, products, definite integrals, limits, determinants.

Each of the first four binds a name: `Apply(head, (body, name, ...bounds))`.
"""

from fractions import Fraction
from typing import TYPE_CHECKING

from reward_server.rewards.math.arguments import argument, exponent_or_base
from reward_server.rewards.math.determinants import determinant
from reward_server.rewards.math.tree import Apply, Node, Number, StrangeAnswerError, Symbol, replaced

if TYPE_CHECKING:
    from reward_server.rewards.math.parser import Parser

_SERIES = {"\\sum": "sum", "\\prod": "product"}
COMMANDS = frozenset((*_SERIES, "\\int", "\\lim", "\\det"))


def operator(parser: "Parser", command: str) -> Node:
    """Read what follows the command of a big operator."""
    match command:
        case "\\int":
            return _integral(parser)
        case "\\lim":
            return _limit(parser)
        case "\\det":
            return determinant(parser.atom())
        case _:
            return _series(parser, _SERIES[command])


def _series(parser: "Parser", head: str) -> Node:
    """Read `_{k=1}^{10}` and the body, which ends before the next sum or difference."""
    parser.expect("_")
    parser.expect("{")
    name = _name(parser)
    parser.expect("=")
    low = parser.expression()
    parser.expect("}")
    parser.expect("^")
    high = exponent_or_base(parser)
    body = parser.expression(parser.ABOVE_SUM)
    # An index called i is no imaginary unit.
    return Apply(head, (replaced(body, Apply("i"), name) if name.name == "i" else body, name, low, high))


def _integral(parser: "Parser") -> Node:
    """Read `_0^1 x^2 \\, dx`: bounds, and a product that ends in `dx`."""
    parser.expect("_")
    low = argument(parser)
    parser.expect("^")
    high = argument(parser)
    parser.open_integrals += 1
    found = parser.expression(parser.ABOVE_SUM)
    parser.open_integrals -= 1
    match found:
        case Apply(head="mul", args=(Symbol(name="d"), Symbol() as name)):
            return Apply("integral", (Number(Fraction(1)), name, low, high))
        case Apply(head="mul", args=(*body, Apply(head="mul", args=(Symbol(name="d"), Symbol() as name)))):
            return Apply("integral", (Apply("mul", tuple(body)), name, low, high))
        case _:
            raise StrangeAnswerError("an integral that does not end in dx")


def _limit(parser: "Parser") -> Node:
    parser.expect("_")
    parser.expect("{")
    name = _name(parser)
    if not (parser.accept("\\to") or parser.accept("\\rightarrow")):
        raise StrangeAnswerError("a limit without an arrow")
    point = parser.expression()
    parser.expect("}")
    return Apply("limit", (parser.expression(parser.ABOVE_SUM), name, point))


def _name(parser: "Parser") -> Symbol:
    found = parser.atom()
    if found == Apply("i"):
        return Symbol("i")
    if not isinstance(found, Symbol):
        raise StrangeAnswerError("a bound that names nothing")
    return found
