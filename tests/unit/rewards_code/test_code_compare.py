"""The comparison is Python's == on plain data, with a tolerance where a float is expected."""

import json
import math
from pathlib import Path
from typing import Any

import pytest

from reward_server.rewards.code.compare import Tolerance, difference, shown

CASES = Path(__file__).resolve().parents[2] / "cases"
ROWS = [json.loads(line) for line in (CASES / "code_compare.jsonl").read_text("utf-8").splitlines()]


class Liar:
    """Equal to everything, and a fault when it is asked to prove it."""

    def __eq__(self, other: object) -> bool:
        return True

    def __hash__(self) -> int:
        return 1


class LyingInt(Liar, int):
    """Has the type of a number, and an `__eq__` of its own."""


class LyingStr(Liar, str):
    """Has the type of text, and an `__eq__` of its own."""

    __slots__ = ()


class LyingList(Liar, list[int]):
    """Has the type and the length of a list, and an `__eq__` of its own."""

    def __len__(self) -> int:
        return 1


NAMES = {
    "nan": math.nan,
    "inf": math.inf,
    "Liar": Liar,
    "LyingInt": LyingInt,
    "LyingStr": LyingStr,
    "LyingList": LyingList,
}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row['actual']} for {row['expected']}")
def test_values_are_told_apart(row: dict[str, Any]) -> None:
    actual, expected = eval(row["actual"], dict(NAMES)), eval(row["expected"], dict(NAMES))

    found = difference(actual, expected, Tolerance())

    assert (found is None) == row["equal"], row["why"]
    if "path" in row:
        assert found is not None
        assert found.endswith(f"(first difference at {row['path']})")


def test_the_tolerance_of_the_test_is_used() -> None:
    assert difference(3.1, 3.0, Tolerance(relative=0.0, absolute=0.2)) is None
    assert difference(3.1, 3.0, Tolerance(relative=0.0, absolute=0.0)) == "returned 3.1, expected 3.0"


def test_a_difference_is_shown_in_one_short_printable_line() -> None:
    wide: Any = "x"
    for _ in range(12):
        wide = [wide] * 100
    values: list[Any] = [
        "x" * 10**6,
        list(range(10**5)),
        {n: n for n in range(10**4)},
        1 << 10**6,
        "\x1b[2J\ud800\n",
        wide,
    ]

    lines = [difference(value, 3, Tolerance()) for value in values]

    assert all(line is not None and len(line) < 200 and line.isprintable() for line in lines)


def test_nesting_that_the_expected_value_lacks_costs_nothing() -> None:
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]

    assert difference(deep, [[[]]], Tolerance()) is not None
    assert difference(deep, 3, Tolerance()) is not None
    assert len(shown(deep)) < 100
