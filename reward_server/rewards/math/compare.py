"""Are two trees the same answer? By shape first, then part by part.

`Match.UNKNOWN` is an honest outcome here: it is what a worker is asked about.
"""

from collections.abc import Iterable, Sequence

from reward_server.rewards.math import names_of_values, residues, shapes
from reward_server.rewards.math.disproof import equations_differ, sets_differ
from reward_server.rewards.math.matrices import is_matrix, worked_out
from reward_server.rewards.math.sampled import Match, Sampler
from reward_server.rewards.math.scalars import compare_scalars, known, shows
from reward_server.rewards.math.tree import (
    EMPTY,
    Apply,
    Collection,
    Interval,
    Kind,
    Node,
    Number,
    Relation,
    StrangeAnswerError,
    Text,
    TooLargeError,
    children,
    symbols,
)

UNORDERED = (Kind.LIST, Kind.SET)
_MOST_UNORDERED_ITEMS = 40
# What looking at two shapes costs, in steps of the meter.
_OWN_STEPS = 5


def compare(sampler: Sampler, gold: Node, answer: Node) -> Match:
    """Compare two answers.

    Raises:
        TooLargeError: a value is over the limits.
        StrangeAnswerError: a side has no mathematical sense.
        OverBudgetError: the sampler's meter has run out.
    """
    sampler.meter.spend(_OWN_STEPS)
    if isinstance(gold, Number) and isinstance(answer, Number):
        return compare_scalars(sampler, gold, answer)
    if gold == answer:
        return Match.EQUAL
    gold, answer = _unnamed(gold, answer)
    gold, answer = (shapes.expanded(_settled(sampler, side)) for side in (gold, answer))
    if is_matrix(gold) or is_matrix(answer):
        gold, answer = worked_out(gold), worked_out(answer)
    gold, answer = shapes.in_shape_of(answer, gold), shapes.in_shape_of(gold, answer)
    if isinstance(gold, Text) or isinstance(answer, Text):
        words = names_of_values.spelled(gold)
        return known(words is not None and words == names_of_values.spelled(answer))
    if shapes.is_set_of_reals(gold) or shapes.is_set_of_reals(answer):
        return _compare_sets(sampler, gold, answer)
    if isinstance(gold, Relation) or isinstance(answer, Relation):
        return _compare_equations(sampler, gold, answer)
    if isinstance(gold, Collection) or isinstance(answer, Collection):
        return _compare_collections(sampler, gold, answer)
    return compare_scalars(sampler, gold, answer)


def check_values(sampler: Sampler, node: Node) -> None:
    """Evaluate every part of an answer once.

    Raises:
        TooLargeError: a value is over the limits.
        StrangeAnswerError: a part has no value.
    """
    node = shapes.expanded(worked_out(node))
    if isinstance(node, Collection | Relation | Interval) or shapes.is_set_of_reals(node):
        for part in children(node):
            check_values(sampler, part)
    elif not isinstance(node, Text) and node != EMPTY:
        compare_scalars(sampler, node, Apply("neg", (node,)))


def _unnamed(gold: Node, answer: Node) -> tuple[Node, Node]:
    """Take `x =` off where only one side has it; two equations are compared as such."""
    if shapes.is_equation(gold) and shapes.is_equation(answer):
        return residues.same_name(gold, answer) or (gold, answer)
    return names_of_values.named_value(gold) or gold, names_of_values.named_value(answer) or answer


def _settled(sampler: Sampler, node: Node) -> Node:
    """Read a chain of equal constants, `2 + 3 = 5`, as its last one, and `1/3 \\approx 0.33` as its first."""
    if isinstance(node, Relation) and node.operators == ("~",):
        exact, shown = node.sides
        if not isinstance(shown, Number) or symbols(exact) or not shows(sampler, shown, exact):
            raise StrangeAnswerError("an approximation that is none")
        return exact
    if not isinstance(node, Relation) or not shapes.is_equation(node) or symbols(node):
        return node
    *steps, last = node.sides
    if any(compare(sampler, last, step) is not Match.EQUAL for step in steps):
        raise StrangeAnswerError("a chain of values that are not equal")
    return last


def _compare_sets(sampler: Sampler, gold: Node, answer: Node) -> Match:
    left, right = shapes.intervals(gold), shapes.intervals(answer)
    if left is None or right is None:
        both = all(shapes.intervals(side) or shapes.is_set_of_reals(side) for side in (gold, answer))
        return _by_points(sampler, gold, answer) if both else Match.DIFFERENT
    if len(left) == len(right) == 1:
        return _compare_intervals(sampler, left[0], right[0])
    if len(left) == len(right) and _every_interval_found(sampler, left, right):
        return Match.EQUAL
    return _by_points(sampler, gold, answer)


def _by_points(sampler: Sampler, gold: Node, answer: Node) -> Match:
    """Compare two sets that are cut in different ways.

    Of several sets named, none may be the whole gold: the others would be other answers.
    """
    several = isinstance(answer, Collection) and answer.kind is Kind.LIST
    if several and any(_compare_sets(sampler, gold, item) is Match.EQUAL for item in children(answer)):
        return Match.DIFFERENT
    return Match.DIFFERENT if sets_differ(sampler, gold, answer) else Match.UNKNOWN


def _every_interval_found(sampler: Sampler, left: Sequence[Interval], right: Sequence[Interval]) -> bool:
    return all(
        any(_compare_intervals(sampler, one, other) is Match.EQUAL for other in right) for one in left
    ) and all(any(_compare_intervals(sampler, one, other) is Match.EQUAL for one in left) for other in right)


def _compare_intervals(sampler: Sampler, gold: Interval, answer: Interval) -> Match:
    if (gold.low_closed, gold.high_closed) != (answer.low_closed, answer.high_closed):
        return Match.DIFFERENT
    ends = ((gold.low, answer.low), (gold.high, answer.high))
    return _all(compare_scalars(sampler, left, right) for left, right in ends)


def _compare_equations(sampler: Sampler, gold: Node, answer: Node) -> Match:
    """Compare `f = 0` with `g = 0`: the same if one is a constant multiple of the other."""
    if not isinstance(gold, Relation) or not isinstance(answer, Relation):
        return Match.DIFFERENT
    names = sorted(symbols(gold))
    if names != sorted(symbols(answer)) or residues.is_named(gold) or residues.is_named(answer):
        return Match.DIFFERENT
    left, right = shapes.difference(gold), shapes.difference(answer)
    proportional = sampler.proportional_by_algebra(left, right, names)
    if proportional:
        return Match.EQUAL
    if equations_differ(sampler, gold, answer, names):
        return Match.DIFFERENT
    return sampler.proportional(left, right, names) if proportional is None else Match.UNKNOWN


def _compare_collections(sampler: Sampler, gold: Node, answer: Node) -> Match:
    if not isinstance(gold, Collection) or not isinstance(answer, Collection):
        left, right = shapes.ratio_as_quotient(gold), shapes.ratio_as_quotient(answer)
        if isinstance(left, Collection) or isinstance(right, Collection):
            return Match.DIFFERENT
        return compare_scalars(sampler, left, right)
    if gold.kind in UNORDERED and answer.kind in UNORDERED:
        return _compare_unordered(sampler, gold, answer)
    if gold.kind is not answer.kind or len(gold.items) != len(answer.items):
        return Match.DIFFERENT
    if gold.kind is Kind.RATIO:
        pairs = zip(shapes.crossed(gold, answer), shapes.crossed(answer, gold), strict=True)
    else:
        pairs = zip(gold.items, answer.items, strict=True)
    return _all(compare(sampler, left, right) for left, right in pairs)


def _compare_unordered(sampler: Sampler, gold: Collection, answer: Collection) -> Match:
    """Pair items off; equality of values is transitive, so the first match is as good as any."""
    if max(len(gold.items), len(answer.items)) > _MOST_UNORDERED_ITEMS:
        raise TooLargeError(f"more than {_MOST_UNORDERED_ITEMS} items")
    left = sampler.remembered(gold, "without repeats", lambda: _without_repeats(sampler, gold))
    right = _without_repeats(sampler, answer)
    if len(left) != len(right):
        return Match.DIFFERENT
    unsure = False
    for item in left:
        matches: list[Match] = []
        for other in right:
            matches.append(compare(sampler, item, other))
            if matches[-1] is Match.EQUAL:
                break
        if Match.EQUAL in matches:
            del right[len(matches) - 1]
        elif Match.UNKNOWN in matches:
            unsure = True
        else:
            return Match.DIFFERENT
    return Match.UNKNOWN if unsure else Match.EQUAL


def _without_repeats(sampler: Sampler, collection: Collection) -> list[Node]:
    solutions = all(isinstance(item, Collection) for item in collection.items)
    if collection.kind is Kind.LIST and not solutions:
        return list(collection.items)
    kept: list[Node] = []
    for item in collection.items:
        if all(compare(sampler, item, other) is not Match.EQUAL for other in kept):
            kept.append(item)
    return kept


def _all(matches: Iterable[Match]) -> Match:
    """Return DIFFERENT if any part differs, EQUAL if all are equal, else UNKNOWN."""
    unsure = False
    for match in matches:
        if match is Match.DIFFERENT:
            return match
        unsure = unsure or match is Match.UNKNOWN
    return Match.UNKNOWN if unsure else Match.EQUAL
