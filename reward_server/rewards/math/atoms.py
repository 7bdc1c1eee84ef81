"""What an operand can be: literals, names, functions, brackets, commands with arguments."""

from typing import TYPE_CHECKING

from reward_server.rewards.math import brackets, functions, operators, prose
from reward_server.rewards.math.arguments import argument, exponent_or_base, named
from reward_server.rewards.math.literals import base_of, going_on, in_base, literal, mixed, repeating
from reward_server.rewards.math.names import CONSTANTS, FUNCTIONS, GREEK, NAMES, UNIT_VECTORS
from reward_server.rewards.math.tree import (
    REALS,
    Apply,
    Collection,
    Kind,
    Node,
    Number,
    StrangeAnswerError,
    Symbol,
    Text,
)
from reward_server.rewards.math.wordings import MOST_SYMBOLS_IN_A_RUN, POSITIVE

if TYPE_CHECKING:
    from reward_server.rewards.math.parser import Parser

_FENCES = {"\\lfloor": ("\\rfloor", "floor"), "\\lceil": ("\\rceil", "ceil"), "\\lvert": ("\\rvert", "abs")}
_FRACTIONS = frozenset(("\\frac", "\\dfrac", "\\tfrac", "\\cfrac"))
_BINOMIALS = frozenset(("\\binom", "\\dbinom", "\\tbinom"))
_OPENING_COMMANDS = frozenset(
    (
        "\\{",
        "\\begin",
        "\\sqrt",
        "\\langle",
        "\\mathbb",
        "\\boxed",
        "\\overline",
        "\\bar",
        *operators.COMMANDS,
    )
)
_DOTS = ("\\ldots", "\\dots")


def starts_factor(parser: "Parser", left: Node) -> bool:
    """Tell whether the next token continues a product without a sign, as in `2x` or `3(x+1)`."""
    token = parser.peek
    match token.kind:
        case "number":
            # A digit after anything longer is a slip of the pen, not a factor.
            return isinstance(left, Symbol) or (
                isinstance(left, Apply) and (not left.args or left.head == "factorial")
            )
        case "word":
            return token.text not in ("and", "or", "to")
        case "command":
            return _starts_atom(token.text)
        case "mark":
            return token.text in ("(", "{") or (token.text == "|" and parser.open_bars == 0)
        case _:
            return False


def _starts_atom(command: str) -> bool:
    name = command[1:]
    known = name in NAMES or name in GREEK or command in _FRACTIONS or command in _BINOMIALS
    return known or name in UNIT_VECTORS or command in _FENCES or command in _OPENING_COMMANDS


def atom(parser: "Parser") -> Node:
    """Read one operand."""
    token = parser.next()
    match token.kind:
        case "number":
            return _number(parser, token.text)
        case "word":
            return _word(parser, token.text)
        case "command":
            return _command(parser, token.text)
        case "text":
            return _text(token.text)
        case "mark":
            return brackets.bracket(parser, token.text)
        case "end":
            raise StrangeAnswerError("ends where a value should be")


def _number(parser: "Parser", text: str) -> Node:
    if parser.accept("_"):
        return in_base(text, base_of(exponent_or_base(parser)))
    whole = literal(text)
    if "." in text:
        if parser.accept("\\overline"):
            return _with_period(parser, whole)
        return going_on(text) if parser.peek.text in _DOTS and parser.next() else whole
    if parser.peek.text in _FRACTIONS:
        return _mixed(parser, whole)
    if parser.peek.kind == "number":
        parser_number = parser.next()
        if not parser.accept("/") or parser.peek.kind != "number":
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
    above, below = argument(parser), argument(parser)
    if isinstance(above, Number) and isinstance(below, Number):
        proper = 0 < above.value < below.value and whole.value
        if proper:
            return mixed(whole, above, below)
    return Apply("mul", (whole, Apply("div", (above, below))))


def _word(parser: "Parser", word: str) -> Node:
    if word in FUNCTIONS:
        return functions.function(parser, word)
    if word in CONSTANTS:
        return Apply(CONSTANTS[word])
    if len(word) > MOST_SYMBOLS_IN_A_RUN:
        raise StrangeAnswerError(f"unknown word {word!r}")
    if word == "C" and parser.peek.text == "(":
        return _chosen(parser)
    if len(word) == 1:
        return _subscripted(parser, word)
    return _product_of_letters(parser, word)


def _chosen(parser: "Parser") -> Node:
    """Read `C(5, 2)` as a binomial coefficient, and `C(x + 1)` as a product."""
    inside = parser.atom()
    if isinstance(inside, Collection) and inside.kind is Kind.TUPLE and len(inside.items) == 2:
        return Apply("binomial", inside.items)
    return Apply("mul", (Symbol("C"), inside))


def _product_of_letters(parser: "Parser", word: str) -> Node:
    """Read `xy` as x times y; an index or a power belongs to the last letter alone."""
    last = _subscripted(parser, word[-1])
    while parser.accept("^") or parser.accept("**"):
        last = parser.power(last)
    return Apply("mul", (*map(named, word[:-1]), last))


def _subscripted(parser: "Parser", name: str) -> Node:
    if not parser.accept("_"):
        return named(name)
    if parser.accept("{"):
        parts: list[str] = []
        while not parser.accept("}"):
            token = parser.next()
            if token.kind == "end":
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
        above, below = argument(parser), argument(parser)
        return Apply("div", (above, below))
    if command in _BINOMIALS:
        above, below = argument(parser), argument(parser)
        return Apply("binomial", (above, below))
    if command == "\\sqrt":
        return functions.root(parser)
    if name in FUNCTIONS:
        return functions.function(parser, name)
    if name in CONSTANTS:
        return Apply(CONSTANTS[name])
    if name in GREEK:
        return _subscripted(parser, command)
    if name in UNIT_VECTORS:
        return Symbol(command)
    if command in _FENCES:
        closing, head = _FENCES[command]
        inside = parser.expression()
        parser.expect(closing)
        return Apply(head, (inside,))
    return _opened_by_command(parser, command)


def _positive(parser: "Parser") -> Node | None:
    """Read the mark of the positive reals, `^+` or `_{+}`, if it is there."""
    for mark in ("^", "_"):
        for plus in (("+",), ("{", "+", "}")):
            if parser.looking_at(mark, *plus):
                for _ in range(1 + len(plus)):
                    parser.next()
                return POSITIVE
    return None


def _opened_by_command(parser: "Parser", command: str) -> Node:
    if command == "\\{":
        return brackets.braced_set(parser, "\\}")
    if command == "\\langle":
        return brackets.items(parser, "\\rangle", Kind.TUPLE)
    if command == "\\begin":
        return brackets.matrix(parser)
    if command in ("\\overline", "\\bar"):
        return Apply("conjugate", (argument(parser),))
    if command in operators.COMMANDS:
        return operators.operator(parser, command)
    if command == "\\mathbb":
        if "R" in (parser.next().text, parser.peek.text):
            if parser.accept("R"):
                parser.expect("}")
            return _positive(parser) or REALS
        raise StrangeAnswerError("a number set other than the reals")
    raise StrangeAnswerError(f"unknown command {command!r}")
