"""What holds for any plain data and any text, not for the rows of a table alone."""

import copy
import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from reward_server.api import CodeReference
from reward_server.rewards.code.assertions import Assertion
from reward_server.rewards.code.compare import Tolerance, difference
from reward_server.rewards.code.extract import extract
from reward_server.rewards.code.suites import parse_suite

FINITE = st.floats(allow_nan=False, allow_infinity=False)  # the others have no literal
TEXT = st.text(max_size=8)
HASHABLE = st.one_of(st.none(), st.booleans(), st.integers(), FINITE, TEXT, st.binary(max_size=8))
KEY = st.one_of(HASHABLE, st.tuples(HASHABLE, HASHABLE), st.frozensets(HASHABLE, max_size=3))
PLAIN = st.recursive(
    st.one_of(HASHABLE, st.complex_numbers(allow_nan=False, allow_infinity=False), st.sets(KEY, max_size=4)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.lists(inner, max_size=4).map(tuple),
        st.dictionaries(KEY, inner, max_size=4),
    ),
    max_leaves=12,
)
FEW = st.recursive(
    st.sampled_from([0, False, 0.0, -0.0, 1, True, 1.0, 2, "", "a", b"a", None]),
    lambda inner: st.one_of(
        st.lists(inner, max_size=2),
        st.lists(inner, max_size=2).map(tuple),
        st.dictionaries(st.sampled_from([0, 1, "a"]), inner, max_size=2),
    ),
    max_leaves=3,
)
LINES = st.sampled_from(
    ["```python", "```", "~~~", "  ```", "def f(x):", "    return x", "Some prose here", "f = 1", "", "\r"]
)


def _parse(test: str) -> Assertion:
    return parse_suite(CodeReference(tests=(test,))).assertions[0]


@given(PLAIN)
def test_a_value_written_into_a_test_is_the_value_expected(value: Any) -> None:
    assertion = _parse(f"assert f(1) == {value!r}")

    assert assertion.call == "f(1)"
    assert difference(copy.deepcopy(value), assertion.expected, Tolerance()) is None


@given(FEW, FEW)
def test_values_that_python_tells_apart_are_told_apart_but_for_the_tolerance(
    actual: Any, expected: Any
) -> None:
    exact = Tolerance(relative=0.0, absolute=0.0)

    assert (difference(actual, expected, exact) is None) == (actual == expected)
    if actual == expected:
        assert difference(actual, expected, Tolerance()) is None


@given(st.one_of(st.text(), st.lists(LINES).map("\n".join)), st.sampled_from(["", "f", "f("]))
def test_extraction_takes_any_text(answer: str, entry_point: str) -> None:
    source = extract(answer, entry_point)

    assert source is None or (source.strip() and "\r" not in source)


@given(st.lists(st.one_of(st.integers(), TEXT), min_size=1, max_size=3))
def test_arguments_reach_the_sandbox_unchanged(arguments: list[Any]) -> None:
    written = ", ".join(map(repr, arguments))

    call = _parse(f"assert f({written}) == 1").call

    assert eval(call, {"f": lambda *given_arguments: json.dumps(given_arguments)}) == json.dumps(arguments)
