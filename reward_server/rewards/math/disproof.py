"""Cheap proofs that two sets or two equations differ: one point that only one of them holds.

Wrong answers are the common case early in training, so they must not need algebra.
Nothing here ever shows that two answers are equal.
"""

from collections.abc import Mapping, Sequence
from fractions import Fraction

from reward_server.rewards.math import shapes
from reward_server.rewards.math.points import points
from reward_server.rewards.math.sampled import Sampler
from reward_server.rewards.math.tree import (
    Apply,
    Collection,
    Interval,
    Node,
    Number,
    Relation,
    StrangeAnswerError,
    Symbol,
    symbols,
)

# Where two sets with nearly the same ends come apart.
_NEAR_AN_END = (Fraction(1, 97), Fraction(1, 3), Fraction(3))
_MOST_ENDS = 8
# Which signs of `left - right` an operator allows.
_HOLDS = {"=": (0,), "<": (-1,), "<=": (-1, 0), ">": (1,), ">=": (0, 1), "!=": (-1, 1)}


def sets_differ(sampler: Sampler, gold: Node, answer: Node) -> bool:
    """Tell whether some real is in one set and not in the other."""
    names = symbols(gold) | symbols(answer)
    if len(names) > 1:
        return False
    name = next(iter(names), "x")
    for value in _reals(sampler, name, gold, answer):
        here = {name: value}
        verdicts = (_holds(sampler, gold, value, here), _holds(sampler, answer, value, here))
        if None not in verdicts and verdicts[0] != verdicts[1]:
            return True
    return False


def equations_differ(sampler: Sampler, gold: Relation, answer: Relation, names: Sequence[str]) -> bool:
    """Tell whether a rational point of `y = ...` is no solution of the other equation."""
    for solved, other in ((gold, answer), (answer, gold)):
        left, right = solved.sides[0], solved.sides[-1]
        if not isinstance(left, Symbol) or left.name in symbols(right):
            continue
        for point in points([name for name in names if name != left.name]):
            try:
                value = sampler.rational(right, point)
                rest = (
                    None
                    if value is None
                    else sampler.rational(shapes.difference(other), {**point, left.name: value})
                )
            except StrangeAnswerError:
                continue
            if rest:
                return True
    return False


def _reals(sampler: Sampler, name: str, *sides: Node) -> list[Fraction]:
    """Return sample points, and points beside the rational ends of the intervals on either side."""
    found = [point[name] for point in points([name])]
    ends: list[Fraction] = []
    for side in sides:
        for interval in shapes.intervals(side) or ():
            values = (sampler.rational(interval.low), sampler.rational(interval.high))
            ends.extend(value for value in values if value is not None)
    for end in ends[:_MOST_ENDS]:
        found.append(end)
        found.extend(end + sign * apart for apart in _NEAR_AN_END for sign in (1, -1))
    return found


def _holds(sampler: Sampler, node: Node, value: Fraction, here: dict[str, Fraction]) -> bool | None:
    """Tell whether a real is in a set; None where that is not clear."""
    match node:
        case Interval():
            low = _compared(sampler, node.low, "<=" if node.low_closed else "<", Number(value), here)
            high = _compared(sampler, Number(value), "<=" if node.high_closed else "<", node.high, here)
            return _all([low, high])
        case Apply(head="union", args=parts) | Collection(items=parts) if shapes.is_set_of_reals(node):
            return _any([_holds(sampler, part, value, here) for part in parts])
        case Apply(head="intersection", args=parts):
            return _all([_holds(sampler, part, value, here) for part in parts])
        case Relation(operators=("in",)):
            return _holds(sampler, node.sides[1], value, here)
        case Relation():
            pairs = zip(node.sides, node.operators, node.sides[1:], strict=False)
            return _all([_compared(sampler, left, sign, right, here) for left, sign, right in pairs])
        case _:
            single = shapes.intervals(node)
            return _holds(sampler, single[0], value, here) if single and len(single) == 1 else None


def _compared(
    sampler: Sampler, left: Node, operator: str, right: Node, here: Mapping[str, Fraction]
) -> bool | None:
    if operator not in _HOLDS:
        return None
    try:
        sign = sampler.sign(left, right, here)
    except StrangeAnswerError:
        return None
    return None if sign is None else sign in _HOLDS[operator]


def _any(parts: Sequence[bool | None]) -> bool | None:
    if True in parts:
        return True
    return None if None in parts else False


def _all(parts: Sequence[bool | None]) -> bool | None:
    if False in parts:
        return False
    return None if None in parts else True
