"""Layer 5, in a worker: computer algebra on trees, never on text.

Only this module and `sympy_trees` import sympy, and only a worker imports them. Nothing
here bounds time or memory: the worker that runs it is killed from outside.
"""

import contextlib
from typing import Any

import sympy as untyped_sympy  # pyright: ignore[reportMissingTypeStubs]

from reward_server.rewards.math import rehearsal, shapes
from reward_server.rewards.math.compare import check_values
from reward_server.rewards.math.compare import compare as compare_trees
from reward_server.rewards.math.sampled import Match, Sampler
from reward_server.rewards.math.sympy_trees import expression, real_set
from reward_server.rewards.math.tree import (
    Collection,
    Interval,
    Node,
    Relation,
    StrangeAnswerError,
    Text,
    TooLargeError,
    from_json,
    symbols,
    to_json,
)

sympy: Any = untyped_sympy

# How sympy says that it cannot answer a question, or trips over one that it did not expect.
REFUSALS = (
    NotImplementedError,
    ValueError,
    TypeError,
    AttributeError,
    LookupError,
    AssertionError,
    ArithmeticError,
    RecursionError,
    sympy.PolynomialError,
)


def compare(payload: dict[str, Any]) -> dict[str, str]:
    """Compare two trees: {"gold", "answer"} to {"match"} or {"bad_gold" | "too_large" | "strange"}."""
    gold, answer = from_json(payload["gold"]), from_json(payload["answer"])
    sampler = Sampler()
    try:
        check_values(sampler, gold)
    except StrangeAnswerError as error:
        return {"bad_gold": str(error)}
    try:
        match = compare_trees(sampler, gold, answer)
        if match is Match.UNKNOWN:
            match = _by_algebra(gold, answer)
    except TooLargeError as error:
        return {"too_large": str(error)}
    except StrangeAnswerError as error:
        return {"strange": str(error)}
    return {"match": match.value}


def warm_up() -> None:
    """Answer one question of each kind, so that a real one finds everything imported."""
    _answer(rehearsal.ALL)
    symbol = sympy.Symbol("x", real=True)
    sympy.simplify(sympy.sin(symbol) ** 2 + sympy.cos(symbol) ** 2 - 1)


def rehearse() -> None:
    """Answer what is common once more, in a process that was forked after `warm_up`."""
    _answer(rehearsal.COMMON)


def _answer(pairs: tuple[tuple[Node, Node], ...]) -> None:
    for gold, answer in pairs:
        compare({"gold": to_json(gold), "answer": to_json(answer)})


def simplify(payload: dict[str, Any]) -> None:
    """Compare {"gold"} with an {"answer"} that costs nothing more, for what the gold costs alone."""
    gold = from_json(payload["gold"])
    with contextlib.suppress(StrangeAnswerError):
        check_values(Sampler(), gold)
    _by_algebra(gold, from_json(payload["answer"]))


def _by_algebra(gold: Node, answer: Node) -> Match:
    gold, answer = shapes.expanded(gold), shapes.expanded(answer)
    try:
        return Match.EQUAL if _proved_equal(gold, answer) else Match.UNKNOWN
    except REFUSALS:
        return Match.UNKNOWN


def _proved_equal(gold: Node, answer: Node) -> bool:
    if shapes.is_set_of_reals(gold) or shapes.is_set_of_reals(answer):
        return _equal_sets(gold, answer)
    if isinstance(gold, Relation) and isinstance(answer, Relation):
        return _equal_equations(gold, answer)
    if isinstance(gold, Collection | Text | Interval) or isinstance(answer, Collection | Text | Interval):
        return False
    difference = expression(gold) - expression(answer)
    return bool(difference == 0 or sympy.simplify(difference) == 0)


def _equal_sets(gold: Node, answer: Node) -> bool:
    names = symbols(gold) | symbols(answer)
    if len(names) > 1:
        return False
    if isinstance(answer, Collection) and any(_equal_sets(gold, item) for item in answer.items):
        return False
    left, right = real_set(gold), real_set(answer)
    return bool(left == right or sympy.SymmetricDifference(left, right) == sympy.S.EmptySet)


def _equal_equations(gold: Relation, answer: Relation) -> bool:
    """Compare the zero sets of two equations by the square-free parts of their numerators."""
    parts: list[Any] = []
    for equation in (gold, answer):
        numerator, _ = sympy.fraction(sympy.together(expression(shapes.difference(equation))))
        names = sorted(numerator.free_symbols, key=str)
        if not names or not numerator.is_polynomial(*names):
            return False
        parts.append(sympy.Poly(numerator, *names).sqf_part().monic())
    return bool(parts[0] == parts[1])
