"""What operators, commands and functions take: braces, or as little as LaTeX would."""

from typing import TYPE_CHECKING

from reward_server.rewards.math.literals import literal
from reward_server.rewards.math.names import CONSTANTS
from reward_server.rewards.math.tokens import Token
from reward_server.rewards.math.tree import Apply, Node, Symbol

if TYPE_CHECKING:
    from reward_server.rewards.math.parser import Parser


def braced(parser: "Parser") -> Node:
    """Read `{expression}`."""
    parser.expect("{")
    node = parser.values()
    parser.expect("}")
    return node


def exponent_or_base(parser: "Parser") -> Node:
    """Read what follows `^` or `log_`: braces, a whole number (`x^12` as written plainly), or an operand."""
    if parser.peek.text == "{":
        return braced(parser)
    if parser.peek.kind == "number":
        return literal(parser.next().text)
    return parser.expression(39)


def argument(parser: "Parser") -> Node:
    """Read an argument of a LaTeX command: braces, or a single digit, letter or command."""
    token = parser.peek
    if token.text == "{" and token.kind == "mark":
        return braced(parser)
    if token.kind not in ("number", "word") or token.text[0] == ".":
        return parser.atom()
    first, rest = token.text[0], token.text[1:]
    if rest:
        parser.replace_next(Token(token.kind, rest))
    else:
        parser.next()
    return literal(first) if token.kind == "number" else named(first)


def named(letter: str) -> Node:
    """Return the constant or symbol that a letter names."""
    return Apply(CONSTANTS[letter]) if letter in CONSTANTS else Symbol(letter)
