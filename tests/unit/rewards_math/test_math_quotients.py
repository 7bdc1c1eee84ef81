"""Equality by one expansion: what it proves, what it disproves, and what it leaves to samples."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reward_server.rewards.math.exact import rational
from reward_server.rewards.math.meter import Meter
from reward_server.rewards.math.parser import parse
from reward_server.rewards.math.quotients import Quotients
from reward_server.rewards.math.tree import symbols

EXPRESSIONS = st.recursive(
    st.sampled_from(("x", "y", "2", "3", "\\frac{1}{2}")),
    lambda part: st.one_of(
        st.tuples(part, part).map(lambda sides: f"({sides[0]}+{sides[1]})"),
        st.tuples(part, part).map(lambda sides: f"({sides[0]}-{sides[1]})"),
        st.tuples(part, part).map(lambda sides: f"{sides[0]}*{sides[1]}"),
        part.map(lambda side: f"({side})^2"),
    ),
    max_leaves=6,
)


def read(gold: str, answer: str) -> tuple[bool | None, bool | None]:
    one, other = parse(gold), parse(answer)
    quotients = Quotients(one, sorted(symbols(one) | symbols(other)), Meter())
    return quotients.equal(other), quotients.proportional(other)


@pytest.mark.parametrize(
    ("gold", "answer", "equal", "why"),
    [
        ("(x+y)^3", "x^3+3x^2y+3xy^2+y^3", True, "expanded"),
        ("(x+y)^3", "x^3+3x^2y+3xy^2-y^3", False, "one sign"),
        ("\\frac{1}{x}+\\frac{1}{y}", "\\frac{x+y}{xy}", True, "one denominator"),
        ("\\frac{1}{x-1}", "-\\frac{1}{1-x}", True, "sign of both"),
        ("x^{-2}", "\\frac{1}{x^2}", True, "negative power"),
        ("2\\sqrt{x}", "2x^{1/2}", True, "a root is a symbol of its own"),
        ("5\\sqrt{2}+7", "7+5\\sqrt{2}", True, "order, without a free symbol"),
        ("\\ln(x+1)", "\\ln(1+x)", True, "arguments are expanded, too"),
        ("e^{2x}+1", "1+e^{x*2}", True, "exponents, too"),
        ("\\sqrt{ab}", "\\sqrt{a}\\sqrt{b}", None, "other roots than the gold's"),
        ("\\sqrt{2}+\\sqrt{3}", "\\sqrt{3}-\\sqrt{2}", None, "different polynomials of roots prove nothing"),
        ("2", "2+\\sqrt{4}", None, "a root that the gold has not"),
        ("\\sqrt{2}", "\\sqrt{2}+\\ln 0-\\ln 0", None, "what has no value may not cancel"),
        ("\\sqrt{4}", "\\frac{\\sqrt{4}(\\sqrt{4}-2)}{\\sqrt{4}-2}", None, "nothing over nothing"),
        ("x", "\\frac{x(x-x)}{x-x}", None, "nothing over nothing"),
        ("\\sin 30^\\circ+x", "x+\\sin 30", None, "degrees are left to samples"),
        ("x^{9^{9^9}}", "x", None, "too large a power"),
        ("(a+b+c+d+f)^{60}", "a", None, "too many products"),
        ("10^{400}x", "10^{400}x", None, "too long a number"),
        ("0", "(x-x)^0", None, "zero to the power of zero"),
    ],
)
def test_two_expressions_are_compared_as_quotients(gold: str, answer: str, equal: bool, why: str) -> None:
    assert read(gold, answer)[0] is equal, why


@pytest.mark.parametrize(
    ("gold", "answer", "proportional"),
    [
        ("y-2x-3", "4x+6-2y", True),
        ("\\frac{x^2}{9}+\\frac{y^2}{4}-1", "4x^2+9y^2-36", True),
        ("x-y", "x+y", False),
        ("x-y", "(x-y)(x+y)", False),
        ("x-y", "x-x", None),
    ],
)
def test_a_constant_multiple_is_told(gold: str, answer: str, proportional: bool) -> None:
    assert read(gold, answer)[1] is proportional


@given(EXPRESSIONS, EXPRESSIONS)
def test_the_verdict_is_that_of_the_values_at_two_points(gold: str, answer: str) -> None:
    """No two small polynomials that differ agree at both points."""
    equal, _ = read(gold, answer)

    here = ({"x": Fraction(x), "y": Fraction(y)} for x, y in ((1009, 13), (7, 10007)))
    values = [[rational(parse(text), Meter(), point) for text in (gold, answer)] for point in here]
    assert equal is None or equal is all(one == other for one, other in values)
