"""What is written into a hidden test is read back as the same value."""

from typing import Any

import pytest

from reward_server.api import CodeReference
from reward_server.rewards.code.hidden import literal
from reward_server.rewards.code.suites import parse_suite


@pytest.mark.parametrize(
    "value",
    [
        *([], [1, "a"], (), (1,), (1, 2), set(), {"a"}, frozenset(), frozenset({1}), {}, {1: (2,)}),
        *(float("nan"), [float("-inf")], {"a": float("inf")}, -0.0, 1e-300, 1j, -5, 2**70),
        *(None, True, "\\d'\"\n", b"x"),
    ],
    ids=repr,
)
def test_a_literal_reads_back_as_the_value(value: Any) -> None:
    (assertion,) = parse_suite(CodeReference(tests=(f"assert f() == {literal(value)}",))).assertions

    assert repr(assertion.expected) == repr(value)
