"""Functions and roots, with the arguments that they are written with."""

from fractions import Fraction
from typing import TYPE_CHECKING

from reward_server.rewards.math.arguments import argument, braced, exponent_or_base
from reward_server.rewards.math.names import FUNCTIONS, INVERSES
from reward_server.rewards.math.tree import Apply, Collection, Node, Number, StrangeAnswerError

if TYPE_CHECKING:
    from reward_server.rewards.math.parser import Parser


def function(parser: "Parser", name: str) -> Node:
    head = FUNCTIONS[name]
    base: Node | None = None
    exponent: Node | None = None
    if head == "log" and parser.accept("_"):
        base = exponent_or_base(parser)
    if parser.accept("^"):
        exponent = exponent_or_base(parser)
    if exponent == Number(Fraction(-1), 0, 1) and head in INVERSES:
        head, exponent = INVERSES[head], None
    applied = _applied(head, _function_argument(parser), base)
    return applied if exponent is None else Apply("pow", (applied, exponent))


def root(parser: "Parser") -> Node:
    degree: Node = Number(Fraction(2))
    if parser.accept("["):
        degree = parser.expression()
        parser.expect("]")
    if isinstance(degree, Number) and degree.value:
        return Apply("pow", (argument(parser), Number(1 / degree.value)))
    return Apply("pow", (argument(parser), Apply("div", (Number(Fraction(1)), degree))))


def _applied(head: str, argument: Node, base: Node | None) -> Node:
    if head in ("gcd", "lcm", "max", "min"):
        if not isinstance(argument, Collection):
            raise StrangeAnswerError(f"{head} of a single value")
        return Apply(head, argument.items)
    match head:
        case "log":
            return Apply("log", (argument, base or Number(Fraction(10))))
        case "exp":
            return Apply("pow", (Apply("e"), argument))
        case "sqrt" | "cbrt":
            degree = Fraction(1, 2) if head == "sqrt" else Fraction(1, 3)
            return Apply("pow", (argument, Number(degree)))
        case _:
            return Apply(head, (argument,))


def _function_argument(parser: "Parser") -> Node:
    """Read `(x)`, `{x}` or a product without signs that ends before the next function."""
    if parser.peek.text in ("(", "{"):
        return parser.atom() if parser.peek.text == "(" else braced(parser)
    factors = [parser.expression(21)]
    while parser.at_factor(factors[-1]) and not _ends_argument(parser):
        factors.append(parser.expression(21))
    return factors[0] if len(factors) == 1 else Apply("mul", tuple(factors))


def _ends_argument(parser: "Parser") -> bool:
    """Tell whether an argument without brackets ends: at a function, a bracket, an integral's `dx`."""
    text = parser.peek.text
    is_differential = parser.open_integrals > 0 and len(text) == 2 and text[0] == "d"
    return text == "(" or is_differential or text.lstrip("\\") in FUNCTIONS
