"""A Pratt parser from tokens to the tree, for a closed subset of LaTeX and plain notation.

This module holds the operators and what joins whole values (lists, relations, unions,
ratios). `atoms` holds what an operand can be. Recursion is bounded by `MAX_DEPTH`, size
by `MAX_NODES`, so that hostile text costs no more than honest text.
"""

import re
from fractions import Fraction
from functools import reduce

from reward_server.rewards.math import atoms, vectors
from reward_server.rewards.math.arguments import exponent_or_base
from reward_server.rewards.math.literals import base_of, in_base
from reward_server.rewards.math.notations import rewritten
from reward_server.rewards.math.residues import read_residues
from reward_server.rewards.math.tokens import Token, tokenize
from reward_server.rewards.math.tree import (
    MAX_DEPTH,
    MAX_NODES,
    REALS,
    Apply,
    Collection,
    Kind,
    Node,
    Number,
    Relation,
    StrangeAnswerError,
    TooLargeError,
    children,
)
from reward_server.rewards.math.wordings import read_words

RELATIONS = {
    "=": "=", "\\approx": "~", "\\simeq": "~", "<": "<", "\\lt": "<", ">": ">", "\\gt": ">",
    "<=": "<=", "\\le": "<=", "\\leq": "<=", "\\leqslant": "<=", ">=": ">=", "\\ge": ">=",
    "\\geq": ">=", "\\geqslant": ">=", "!=": "!=", "\\ne": "!=", "\\neq": "!=", "\\in": "in",
    "\\equiv": "=",
}  # fmt: skip
# Between two inequalities, these mean both; "or" and a comma mean either.
BOTH = frozenset(("and", "\\land", "\\wedge"))
SEPARATORS = frozenset((",", ";", "and", "or", "\\lor", "\\vee", "\\land", "\\wedge"))

# Operator -> head, how tightly it holds its left operand, and its right one.
BINARY = {
    "\\choose": ("binomial", 2, 3), "\\over": ("div", 2, 3),
    "\\cup": ("union", 4, 5), "\\cap": ("intersection", 6, 7), "\\setminus": ("setminus", 4, 5),
    "\\backslash": ("setminus", 4, 5), ":": ("ratio", 8, 9), "to": ("span", 8, 9),
    "+": ("add", 10, 11), "-": ("sub", 10, 11), "\\pm": ("pm", 10, 11), "\\mp": ("pm", 10, 11),
    "*": ("mul", 20, 21), "\\cdot": ("mul", 20, 21), "\\times": ("mul", 20, 21), "\\ast": ("mul", 20, 21),
    "/": ("div", 20, 21), "\\div": ("div", 20, 21), "^": ("pow", 40, 39), "**": ("pow", 40, 39),
}  # fmt: skip
IMPLICIT_PRODUCT = 20
PREFIX = 21
POSTFIX = 50
_POSTFIX_HEADS = {"!": "factorial", "%": "percent", "\\%": "percent"}
_DEGREES = ("\\circ", "\\degree")

# So few cannot make a tree over the limits: the most is a determinant, which takes more of them.
_FEW_TOKENS = 20
_EXCEPT = re.compile(
    r"all real numbers (?:except|but|other than)(?: for)? (?:[a-z] ?= ?)?(?=[-\d\\])", re.IGNORECASE
)
_BASED = re.compile(r"\(?(\d*[A-Z][\dA-Z]*)\)?_\{?(1[1-9]|[23]\d)\}?", re.ASCII)


def parse(text: str) -> Node:
    """Read a cleaned answer.

    Raises:
        StrangeAnswerError: not of the subset.
        TooLargeError: over the limits.
    """
    text = vectors.in_commands(rewritten(text))
    if "mod" in text and (classes := read_residues(text)) is not None:
        return classes
    if text[:3] in ("all", "All") and (exception := _EXCEPT.match(text)):
        return Apply("setminus", (REALS, Collection(Kind.SET, (parse(text[exception.end() :]),))))
    words = read_words(text)
    if words is not None:
        return words
    if based := _BASED.fullmatch(text):
        return in_base(based[1], int(based[2]))
    tokens = tokenize(text)
    parser = Parser(tokens)
    node = parser.values()
    if parser.peek.kind != "end":
        raise StrangeAnswerError(f"unexpected {parser.peek.text!r}")
    if len(tokens) > _FEW_TOKENS:
        _measure(node)
    return node


def _measure(root: Node) -> None:
    """Raise `TooLargeError` over the limits; iterative, so that depth cannot hurt it."""
    waiting: list[tuple[Node, int]] = [(root, 1)]
    count = 0
    while waiting:
        node, depth = waiting.pop()
        count += 1
        if count > MAX_NODES or depth > MAX_DEPTH:
            raise TooLargeError(f"over {MAX_NODES} terms or {MAX_DEPTH} levels")
        waiting.extend((part, depth + 1) for part in children(node))


class Parser:
    """A position in the tokens, and the rules for what joins operands."""

    # For `expression`: what ends before a colon, and before a sign between terms.
    ABOVE_RATIO = 10
    ABOVE_SUM = 12

    def __init__(self, tokens: list[Token]) -> None:
        self._tokens = tokens
        self._position = 0
        self.peek = tokens[0]
        self._depth = 0
        self.open_bars = 0
        self.open_integrals = 0

    def next(self) -> Token:
        token = self.peek
        if token.kind != "end":
            self._position += 1
            self.peek = self._tokens[self._position]
        return token

    def accept(self, text: str) -> bool:
        """Step over the token if it is this mark, command or word."""
        token = self.peek
        if token.text == text and token.kind not in ("text", "end"):
            self.next()
            return True
        return False

    def expect(self, text: str) -> None:
        if not self.accept(text):
            raise StrangeAnswerError(f"expected {text!r}, found {self.peek.text!r}")

    def replace_next(self, token: Token) -> None:
        """Put back the rest of a token of which only a part was used."""
        self._tokens[self._position] = self.peek = token

    def looking_at(self, *texts: str) -> bool:
        """Tell whether the next tokens are exactly these."""
        return self.peek.text == texts[0] and all(
            self._position + offset < len(self._tokens) and self._tokens[self._position + offset].text == text
            for offset, text in enumerate(texts)
        )

    def values(self) -> Node:
        """One value, or a list of them."""
        items = [self.relation()]
        joints: set[str] = set()
        while self._at_separator():
            last = ""
            while self._at_separator():
                last = self.next().text
                joints.add(last)
            if self.peek.kind == "end" and last in (",", ";"):
                break
            items.append(self.relation())
        if len(items) == 1:
            return items[0]
        if all(map(_excludes, items[:1])) and "or" not in joints:
            items = [items[0], *(_excluded(items[0], item) for item in items[1:])]
            if all(map(_excludes, items)):
                return reduce(lambda left, right: Apply("intersection", (left, right)), items)
        relations = [item for item in items if isinstance(item, Relation)]
        bounds = [item for item in relations if "=" not in item.operators]
        if joints <= BOTH and bounds and len(relations) == len(items):
            return reduce(lambda left, right: Apply("intersection", (left, right)), items)
        return Collection(Kind.LIST, tuple(items))

    def _at_separator(self) -> bool:
        return self.peek.text in SEPARATORS

    def relation(self, first: Node | None = None) -> Node:
        """An expression, or a chain of them with relations between; `first` is one already read."""
        sides = [first or self.expression()]
        operators: list[str] = []
        while self.peek.text in RELATIONS and self.peek.kind != "text":
            operators.append(RELATIONS[self.next().text])
            sides.append(self.expression())
        return Relation(tuple(operators), tuple(sides)) if operators else sides[0]

    def expression(self, least: int = 0) -> Node:
        """An operand and all operators that hold their left side at least this tightly."""
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise TooLargeError(f"nested deeper than {MAX_DEPTH} levels")
        left = self._operand()
        while (extended := self._extend(left, least)) is not None:
            left = extended
        self._depth -= 1
        return left

    def _operand(self) -> Node:
        sign = self.peek.text
        if sign in ("-", "+", "\\pm", "\\mp"):
            self.next()
            operand = self.expression(PREFIX)
            if sign == "+":
                return operand
            return negated(operand) if sign == "-" else Apply("pm", (Number(Fraction(0)), operand))
        return self.atom()

    def atom(self) -> Node:
        """One operand without a sign."""
        return atoms.atom(self)

    def at_factor(self, left: Node) -> bool:
        """Tell whether the next token continues a product without a sign."""
        return atoms.starts_factor(self, left)

    def _extend(self, left: Node, least: int) -> Node | None:
        """Apply the next operator to `left`, or return None if it is not ours to apply."""
        token = self.peek
        if token.kind in ("end", "text"):
            return None
        if token.text in _POSTFIX_HEADS and least <= POSTFIX:
            self.next()
            return Apply(_POSTFIX_HEADS[token.text], (left,))
        if token.text in BINARY:
            return self._extend_binary(left, least)
        if token.text == "_" and isinstance(left, Number) and left.value.denominator == 1:
            self.next()
            return in_base(str(left.value), base_of(exponent_or_base(self)))
        if least <= IMPLICIT_PRODUCT and self.at_factor(left):
            return joined("mul", left, self.expression(PREFIX))
        return None

    def _extend_binary(self, left: Node, least: int) -> Node | None:
        head, hold_left, hold_right = BINARY[self.peek.text]
        if hold_left < least:
            return None
        self.next()
        if head == "pow":
            return self.power(left)
        right = self.expression(hold_right)
        if head == "sub":
            return joined("add", left, negated(right))
        if head in ("ratio", "span"):
            kind = Kind(head)
            items = left.items if isinstance(left, Collection) and left.kind is kind else (left,)
            return Collection(kind, (*items, right))
        return joined(head, left, right) if head in ("add", "mul") else Apply(head, (left, right))

    def power(self, base: Node) -> Node:
        """Read what follows `^`: an exponent, or the sign for degrees."""
        for name in _DEGREES:
            if self.accept(name):
                return Apply("degrees", (base,))
            if self.looking_at("{", name, "}"):
                for _ in range(3):
                    self.next()
                return Apply("degrees", (base,))
        return Apply("pow", (base, exponent_or_base(self)))


def _excludes(node: Node) -> bool:
    return isinstance(node, Relation) and node.operators == ("!=",)


def _excluded(first: Node, value: Node) -> Node:
    """Read the 3 of `x \\ne -3, 3` as `x \\ne 3`."""
    if isinstance(first, Relation) and isinstance(value, Number | Apply):
        return Relation(first.operators, (first.sides[0], value))
    return value


def joined(head: str, left: Node, right: Node) -> Node:
    """Return a flat sum or product: `a + b + c` is one level deep, not two."""
    parts = left.args if isinstance(left, Apply) and left.head == head else (left,)
    return Apply(head, (*parts, right))


def negated(node: Node) -> Node:
    """Return the negation, folded into a literal."""
    if isinstance(node, Number):
        return Number(-node.value, node.decimals, node.digits)
    return Apply("neg", (node,))
