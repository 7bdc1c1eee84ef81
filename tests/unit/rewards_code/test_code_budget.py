"""The CPU budget of a program follows from its reference, within bounds."""

import math

import pytest

from reward_server.errors import BadReferenceError
from reward_server.rewards.code.budget import limits_for
from sandbox.api import Limits

DEFAULT = Limits(cpu_seconds=2.0, wall_seconds=10.0)


def test_an_unknown_reference_leaves_the_default() -> None:
    assert limits_for(0.0, DEFAULT) is DEFAULT


@pytest.mark.parametrize(
    ("reference_cpu_ms", "cpu_seconds", "why"),
    [
        (0.1, 0.25, "an import alone takes longer than the quickest reference"),
        (5.0, 0.25, "the end of the floor"),
        (20.0, 1.0, "fifty times the reference"),
        (100.0, 5.0, "the beginning of the usual ceiling"),
        (1000.0, 5.0, "five times is still more than the least"),
        (4000.0, 16.0, "a slow reference must itself pass on a slower machine"),
    ],
)
def test_the_budget_follows_from_the_reference(reference_cpu_ms: float, cpu_seconds: float, why: str) -> None:
    limits = limits_for(reference_cpu_ms, DEFAULT)

    assert limits.cpu_seconds == pytest.approx(cpu_seconds), why
    assert limits.wall_seconds >= 4 * cpu_seconds
    assert limits.memory_bytes == DEFAULT.memory_bytes


@pytest.mark.parametrize("reference_cpu_ms", [-1.0, math.nan, math.inf, 1e9])
def test_no_reference_buys_an_endless_budget(reference_cpu_ms: float) -> None:
    with pytest.raises(BadReferenceError, match="reference_cpu_ms"):
        limits_for(reference_cpu_ms, DEFAULT)
