"""Questions of algebra that a worker puts to itself, so that the first real one finds all in place.

sympy imports a good part of itself when it is first asked for a sum, an integral or a set,
and keeps what it has worked out; a real question of the kind took ten times as long without.
"""

from reward_server.rewards.math.shapes import number
from reward_server.rewards.math.tree import (
    INFINITY,
    REALS,
    Apply,
    Collection,
    Interval,
    Kind,
    Node,
    Relation,
    Symbol,
)

_K, _N, _X = Symbol("k"), Symbol("n"), Symbol("x")
_ZERO, _ONE, _TWO, _THREE = map(number, range(4))


def _closed(low: Node, high: Node) -> Interval:
    return Interval(low, high, low_closed=True, high_closed=True)


def _quotient(over: Node, under: Node) -> Node:
    return Apply("div", (over, under))


def _power(base: Node, exponent: Node) -> Node:
    return Apply("pow", (base, exponent))


_PAIRWISE = Apply("mul", (_N, Apply("add", (_N, _ONE))))

# Cheap, and on the way of nearly all others.
COMMON: tuple[tuple[Node, Node], ...] = (
    (Apply("union", (_closed(_ONE, _TWO), _closed(_TWO, _THREE))), _closed(_ONE, _THREE)),
)
# One of each kind.
ALL: tuple[tuple[Node, Node], ...] = (
    *COMMON,
    (_quotient(_PAIRWISE, _TWO), Apply("sum", (_K, _K, _ONE, _N))),
    (_TWO, Apply("sum", (_quotient(_ONE, _power(_TWO, _K)), _K, _ZERO, INFINITY))),
    (_quotient(_ONE, _THREE), Apply("integral", (_power(_X, _TWO), _X, _ZERO, _ONE))),
    (_TWO, Apply("integral", (Apply("sin", (_X,)), _X, _ZERO, Apply("pi")))),
    (_ONE, Apply("limit", (_quotient(Apply("sin", (_X,)), _X), _X, _ZERO))),
    (Apply("binomial", (Apply("add", (_N, _ONE)), _TWO)), _quotient(_PAIRWISE, _TWO)),
    (
        Apply("factorial", (_N,)),
        Apply("mul", (_N, Apply("factorial", (Apply("add", (_N, number(-1))),)))),
    ),
    (_closed(number(-2), _TWO), Relation(("<=",), (_power(_X, _TWO), number(4)))),
    (_closed(number(-2), _TWO), Relation(("<=",), (Apply("abs", (_X,)), _TWO))),
    (Relation(("!=",), (_X, _TWO)), Apply("setminus", (REALS, Collection(Kind.SET, (_TWO,))))),
    (
        Relation(("=",), (_power(_X, _TWO), _ONE)),
        Relation(("=",), (Apply("mul", (_TWO, _power(_X, _TWO))), _TWO)),
    ),
)
