"""Can two values agree to 78 digits and differ? Only with numbers that hold many digits themselves.

Such are long literals, large exponents, factorials and series: what agrees then is compared
once more with more bits. Expressions of small numbers are spared that.
"""

from reward_server.rewards.math.tree import Apply, Node, Number, children, symbols

_LONG = 1 << 40
# Added up over an expression: e^{-200} is about 2^{-288}.
_MOST_EXPONENTS = 64
_LARGE = frozenset(("factorial", "binomial", "sum", "product", "integral", "limit"))


def holds_many_digits(node: Node) -> bool:
    """Tell whether a tree names numbers that are very large, very small or very precise."""
    waiting = [node]
    exponents = 0.0
    while waiting:
        part = waiting.pop()
        if isinstance(part, Number):
            if part.value.denominator > _LONG or abs(part.value.numerator) > _LONG:
                return True
            continue
        if isinstance(part, Apply):
            if part.head in _LARGE:
                return True
            if part.head == "pow":
                exponents += _size(part.args[1])
                if exponents > _MOST_EXPONENTS:
                    return True
        waiting += children(part)
    return False


def _size(exponent: Node) -> float:
    if isinstance(exponent, Number):
        return float(abs(exponent.value)) if abs(exponent.value) <= _LONG else float("inf")
    if isinstance(exponent, Apply) and exponent.head == "neg":
        return _size(exponent.args[0])
    if isinstance(exponent, Apply) and exponent.head in ("div", "mul", "add"):
        parts = [_size(part) for part in exponent.args]
        return sum(parts) if exponent.head != "mul" else _product(parts)
    # A symbol is small at every point; a constant that is no number could be a tower.
    return _MOST_EXPONENTS / 8 if symbols(exponent) or not children(exponent) else float("inf")


def _product(sizes: list[float]) -> float:
    total = 1.0
    for size in sizes:
        total *= max(size, 1.0)
    return total
