"""What an operand can be: literals, names, functions, brackets, commands with arguments."""

from fractions import Fraction
from typing import TYPE_CHECKING

from reward_server.rewards.math import brackets, prose
from reward_server.rewards.math.literals import base_of, in_base, literal, mixed, repeating
from reward_server.rewards.math.names import CONSTANTS, FUNCTIONS, GREEK, INVERSES, NAMES
from reward_server.rewards.math.tokens import Token, TokenKind
from reward_server.rewards.math.tree import (
    Apply,
    Collection,
    Kind,
    Node,
    Number,
    StrangeAnswerError,
    Symbol,
    Text,
)

if TYPE_CHECKING:
    from reward_server.rewards.math.parser import Parser

_FENCES = {"\\lfloor": ("\\rfloor", "floor"), "\\lceil": ("\\rceil", "ceil"), "\\lvert": ("\\rvert", "abs")}
_FRACTIONS = frozenset(("\\frac", "\\dfrac", "\\tfrac", "\\cfrac"))
_BINOMIALS = frozenset(("\\binom", "\\dbinom", "\\tbinom"))
_OPENING_COMMANDS = frozenset(("\\{", "\\begin", "\\sqrt", "\\langle", "\\mathbb", "\\boxed"))
# Longer runs of letters are words, not products of symbols.
MOST_SYMBOLS_IN_A_RUN = 3


def starts_factor(parser: "Parser", left: Node) -> bool:
    """Tell whether the next token continues a product without a sign, as in `2x` or `3(x+1)`."""
    token = parser.peek
    match token.kind:
        case TokenKind.NUMBER:
            return not isinstance(left, Number)
        case TokenKind.WORD:
            return token.text not in ("and", "or", "to")
        case TokenKind.COMMAND:
            return _starts_atom(token.text)
        case TokenKind.MARK:
            return token.text in ("(", "{") or (token.text == "|" and parser.open_bars == 0)
        case _:
            return False


def _starts_atom(command: str) -> bool:
    name = command[1:]
    known = name in NAMES or name in GREEK or command in _FRACTIONS or command in _BINOMIALS
    return known or command in _FENCES or command in _OPENING_COMMANDS


def atom(parser: "Parser") -> Node:
    """Read one operand."""
    token = parser.next()
    match token.kind:
        case TokenKind.NUMBER:
            return _number(parser, token.text)
        case TokenKind.WORD:
            return _word(parser, token.text)
        case TokenKind.COMMAND:
            return _command(parser, token.text)
        case TokenKind.TEXT:
            return _text(token.text)
        case TokenKind.MARK:
            return brackets.bracket(parser, token.text)
        case TokenKind.END:
            raise StrangeAnswerError("ends where a value should be")


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
    if parser.peek.kind is TokenKind.NUMBER:
        return literal(parser.next().text)
    return parser.expression(39)


def _argument(parser: "Parser") -> Node:
    """Read an argument of a LaTeX command: braces, or a single digit, letter or command."""
    token = parser.peek
    if token.text == "{" and token.kind is TokenKind.MARK:
        return braced(parser)
    if token.kind not in (TokenKind.NUMBER, TokenKind.WORD) or token.text[0] == ".":
        return atom(parser)
    first, rest = token.text[0], token.text[1:]
    if rest:
        parser.replace_next(Token(token.kind, rest))
    else:
        parser.next()
    return literal(first) if token.kind is TokenKind.NUMBER else _name(first)


def _number(parser: "Parser", text: str) -> Node:
    if parser.accept("_"):
        return in_base(text, base_of(exponent_or_base(parser)))
    whole = literal(text)
    if "." in text:
        return _with_period(parser, whole) if parser.accept("\\overline") else whole
    if parser.peek.text in _FRACTIONS:
        return _mixed(parser, whole)
    if parser.peek.kind is TokenKind.NUMBER:
        parser_number = parser.next()
        if not parser.accept("/") or parser.peek.kind is not TokenKind.NUMBER:
            raise StrangeAnswerError(f"two numbers side by side: {text} {parser_number.text}")
        below = literal(parser.next().text)
        return mixed(whole, literal(parser_number.text), below)
    return whole


def _with_period(parser: "Parser", start: Number) -> Number:
    parser.expect("{")
    period = parser.next().text
    parser.expect("}")
    return repeating(start, period)


def _mixed(parser: "Parser", whole: Number) -> Node:
    """Read `3\\frac{1}{2}`: a mixed number if the fraction is one of numbers and proper, else a product."""
    parser.next()
    above, below = _argument(parser), _argument(parser)
    if isinstance(above, Number) and isinstance(below, Number):
        proper = 0 < above.value < below.value and whole.value
        if proper:
            return mixed(whole, above, below)
    return Apply("mul", (whole, Apply("div", (above, below))))


def _word(parser: "Parser", word: str) -> Node:
    if word in FUNCTIONS:
        return _function(parser, word)
    if word in CONSTANTS:
        return Apply(CONSTANTS[word])
    if len(word) > MOST_SYMBOLS_IN_A_RUN:
        raise StrangeAnswerError(f"unknown word {word!r}")
    if len(word) == 1:
        return _subscripted(parser, word)
    return _product_of_letters(parser, word)


def _product_of_letters(parser: "Parser", word: str) -> Node:
    """Read `xy` as x times y; an index or a power belongs to the last letter alone."""
    last = _subscripted(parser, word[-1])
    while parser.accept("^") or parser.accept("**"):
        last = parser.power(last)
    return Apply("mul", (*map(_name, word[:-1]), last))


def _name(letter: str) -> Node:
    return Apply(CONSTANTS[letter]) if letter in CONSTANTS else Symbol(letter)


def _subscripted(parser: "Parser", name: str) -> Node:
    if not parser.accept("_"):
        return _name(name)
    if parser.accept("{"):
        parts: list[str] = []
        while not parser.accept("}"):
            token = parser.next()
            if token.kind is TokenKind.END:
                raise StrangeAnswerError("a subscript without an end")
            parts.append(token.text)
        return Symbol(f"{name}_{''.join(parts)}")
    return Symbol(f"{name}_{parser.next().text}")


def _text(words: str) -> Node:
    folded = prose.folded(words)
    if not folded:
        raise StrangeAnswerError("empty text")
    return Text(folded)


def _command(parser: "Parser", command: str) -> Node:
    name = command[1:]
    if command in _FRACTIONS:
        above, below = _argument(parser), _argument(parser)
        return Apply("div", (above, below))
    if command in _BINOMIALS:
        above, below = _argument(parser), _argument(parser)
        return Apply("binomial", (above, below))
    if command == "\\sqrt":
        return _root(parser)
    if name in FUNCTIONS:
        return _function(parser, name)
    if name in CONSTANTS:
        return Apply(CONSTANTS[name])
    if name in GREEK:
        return _subscripted(parser, command)
    if command in _FENCES:
        closing, head = _FENCES[command]
        inside = parser.expression()
        parser.expect(closing)
        return Apply(head, (inside,))
    return _opened_by_command(parser, command)


def _opened_by_command(parser: "Parser", command: str) -> Node:
    if command == "\\{":
        return brackets.braced_set(parser, "\\}")
    if command == "\\langle":
        return brackets.items(parser, "\\rangle", Kind.TUPLE)
    if command == "\\begin":
        return brackets.matrix(parser)
    if command == "\\mathbb":
        if "R" in (parser.next().text, parser.peek.text):
            if parser.accept("R"):
                parser.expect("}")
            return Apply("reals")
        raise StrangeAnswerError("a number set other than the reals")
    raise StrangeAnswerError(f"unknown command {command!r}")


def _root(parser: "Parser") -> Node:
    degree: Node = Number(Fraction(2))
    if parser.accept("["):
        degree = parser.expression()
        parser.expect("]")
    return Apply("pow", (_argument(parser), Apply("div", (Number(Fraction(1)), degree))))


def _function(parser: "Parser", name: str) -> Node:
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
        return atom(parser) if parser.peek.text == "(" else braced(parser)
    factors = [parser.expression(21)]
    while starts_factor(parser, factors[-1]) and not _is_function(parser.peek) and parser.peek.text != "(":
        factors.append(parser.expression(21))
    return factors[0] if len(factors) == 1 else Apply("mul", tuple(factors))


def _is_function(token: Token) -> bool:
    return token.text.lstrip("\\") in FUNCTIONS
