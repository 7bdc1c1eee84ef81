"""Are two numbers or expressions equal? Exactly where both are rational, else sampled.

Decimals: a gold with at least three decimals is taken as rounded, and stands for any
value that rounds to it if that value is not itself a short decimal; an answer with at
least six digits stands for the irrational gold that it shows. Otherwise equality is
exact, so 0.33 is not a third and 3.14 is not pi.
"""

from fractions import Fraction

from reward_server.rewards.math.sampled import Match, Sampler
from reward_server.rewards.math.tree import Apply, Node, Number, children, symbols

SHOWN_DIGITS = 6
ROUNDED_DECIMALS = 3
# Of a fraction without an end: what a program prints, and what a reference may be cut to.
_PRINTED_DIGITS = 12
_CUT_DIGITS = 3
_MOST_BITS_BELOW = 256
_MACHINE = Fraction(1, 2**52)
_MACHINE_DIGITS = 15


def compare_scalars(sampler: Sampler, gold: Node, answer: Node) -> Match:
    """Compare two numbers or expressions.

    Raises:
        TooLargeError: a value is over the limits.
        StrangeAnswerError: a side has no mathematical sense.
    """
    left, right = sampler.rational(gold), sampler.rational(answer)
    if left is not None and right is not None:
        return known(left == right or _stands_for(gold, left, answer, right))
    if any(isinstance(side, Apply) and side.head in ("empty", "reals") for side in (gold, answer)):
        return known(gold == answer)
    own, other = symbols(gold), symbols(answer)
    names = sorted(own | other)
    if other - own:
        # They must cancel, and a zero cancels too much: "not 0" is a product of letters.
        cancelled = not _times_zero(sampler, answer) and sampler.compare(gold, answer, names) is Match.EQUAL
        return known(cancelled)
    if own and not other:
        sampler.check(answer)
    match = sampler.compare(gold, answer, names)
    if match is Match.DIFFERENT and not names and _shows_irrational(sampler, gold, answer):
        return Match.EQUAL
    return match


def _times_zero(sampler: Sampler, node: Node) -> bool:
    """Tell whether a zero makes other parts of an expression vanish."""
    if isinstance(node, Apply) and node.head in ("mul", "div", "pow"):
        vanishing = node.args if node.head == "mul" else node.args[:1]
        if any(sampler.rational(part) == 0 for part in vanishing):
            return True
    return any(_times_zero(sampler, part) for part in children(node))


def known(equal: bool) -> Match:
    return Match.EQUAL if equal else Match.DIFFERENT


def _stands_for(gold: Node, left: Fraction, answer: Node, right: Fraction) -> bool:
    """Tell whether one is a rounded decimal of the other, which is rational."""
    digits = answer.digits if isinstance(answer, Number) and answer.decimals else 0
    if isinstance(answer, Number) and digits >= _PRINTED_DIGITS and is_endless(left):
        return _is_printed(answer, left)
    if not isinstance(gold, Number) or not gold.decimals:
        return False
    if gold.decimals < ROUNDED_DECIMALS:
        stands = not digits and gold.digits >= _CUT_DIGITS and is_endless(right)
    else:
        stands = not digits or digits >= SHOWN_DIGITS
    return stands and _shows(left, gold.decimals, right)


def _is_printed(shown: Number, value: Fraction) -> bool:
    """Tell whether a long decimal is a fraction rounded, cut, or as near as the machine's numbers come."""
    missing = abs(value) - abs(shown.value)
    is_cut = 0 <= missing * 10**shown.decimals < 1 and value * shown.value > 0
    near = shown.digits >= _MACHINE_DIGITS and abs(value - shown.value) <= abs(value) * _MACHINE
    return is_cut or near or _shows(shown.value, shown.decimals, value)


def is_endless(value: Fraction) -> bool:
    """Tell whether a fraction has no end as a decimal."""
    below = value.denominator
    if below.bit_length() > _MOST_BITS_BELOW:
        return False
    for factor in (2, 5):
        while below % factor == 0:
            below //= factor
    return below != 1


def _shows(shown: Fraction, decimals: int, value: Fraction) -> bool:
    """Tell whether `value` rounds to `shown`, that is, lies within half a unit of its last place."""
    return abs(shown - value) * 2 * 10**decimals <= 1


def _shows_irrational(sampler: Sampler, gold: Node, answer: Node) -> bool:
    for shown, other in ((gold, answer), (answer, gold)):
        if not isinstance(shown, Number) or not shown.decimals:
            continue
        enough = shown.decimals >= ROUNDED_DECIMALS if shown is gold else shown.digits >= SHOWN_DIGITS
        if enough and shows(sampler, shown, other):
            return True
    return False


def shows(sampler: Sampler, shown: Number, value: Node) -> bool:
    """Tell whether a constant rounds to the decimal shown."""
    return sampler.within(value, shown.value, Fraction(1, 2 * 10**shown.decimals))
