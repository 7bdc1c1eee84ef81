"""Inputs of MBPP+ become calls of the types and the form that the visible tests show."""

from typing import Any

import pytest

from tasks.adapters.mbpp import mbpp
from tasks.api import Split
from tasks.held_out import EXCLUDED, UnfitError, hidden_calls, retype, with_calls
from tasks.rows import ColumnError, Row

ROW = {
    "task_id": 1000,
    "text": "Write a function to add.",
    "code": "def add(a, b):\n    return a + b",
    "test_list": ["assert add(1, 2) == 3"],
    "test_setup_code": "",
}


def _row(**columns: object) -> Row:
    return Row(dataset="mbpp", split=Split.TRAIN, number=1, columns={**ROW, **columns})


@pytest.mark.parametrize(
    ("value", "examples", "typed", "why"),
    [
        ([1, 2], [(3, 4, 5)], (1, 2), "JSON writes a tuple as a list"),
        ([[1, 2], [3]], [[(0, 1), (2,)]], [(1, 2), (3,)], "members have their own types"),
        ([1, 2], [{5}], {1, 2}, "and a set"),
        ([], [(1,)], (), "an empty one"),
        ([1.5], [[1]], [1.5], "ints and floats are alike"),
        ("a", ["b"], "a", "text stays text"),
        ({"a": [1]}, [{"b": (2,)}], {"a": (1,)}, "members of a dict"),
        ([1, "a"], [[2, "b"]], [1, "a"], "members of several kinds"),
    ],
)
def test_a_value_takes_the_types_that_the_visible_tests_show(
    value: Any, examples: list[Any], typed: Any, why: str
) -> None:
    found = retype(value, examples)

    assert (found, type(found)) == (typed, type(typed)), why


@pytest.mark.parametrize(
    ("value", "examples", "why"),
    [
        ("1j", [1j], "JSON writes a complex number as text"),
        ([1], [[1], (1,)], "a list or a tuple, nobody knows"),
        ([[1]], [[]], "nothing shows what the members are"),
        ({"1": 2}, [{1: 2}], "JSON writes all keys as text"),
        (True, [1], "a truth value where numbers are asked for"),
        ([1], ["a"], "another kind"),
    ],
)
def test_a_value_without_a_certain_type_is_refused(value: Any, examples: list[Any], why: str) -> None:
    with pytest.raises(UnfitError):
        retype(value, examples)


@pytest.mark.parametrize(
    ("test", "call"),
    [
        ("assert f([1]) == 2", "f([3])"),
        ("assert 2 == f([1])", "f([3])"),
        ("assert set(f([1])) == set([2])", "set(f([3]))"),
        ("assert int(f([1])) == 2", "int(f([3]))"),
        ("assert f([1])", "bool(f([3]))"),
        ("assert not f([1])", "bool(f([3]))"),
        ("assert math.isclose(f([1]), 2.0, rel_tol=0.1)", "f([3])"),
    ],
)
def test_a_hidden_call_asks_what_the_visible_test_asks(test: str, call: str) -> None:
    assert hidden_calls("1000", [test], "f", [[[3]]]) == [call]


def test_a_task_that_asks_for_members_in_any_order_is_compared_as_a_set() -> None:
    assert hidden_calls("2", ["assert f((1,), (1,)) == (1,)"], "f", [[[3], [4]]]) == ["set(f((3,), (4,)))"]


def test_no_hidden_call_repeats_a_visible_one_or_another() -> None:
    assert hidden_calls("1000", ["assert f(1) == 2"], "f", [[1], [3], [3], [4]]) == ["f(3)", "f(4)"]


def test_inputs_of_another_arity_are_dropped() -> None:
    assert hidden_calls("1000", ["assert f(1) == 2"], "f", [[3, 4], [], [5]]) == ["f(5)"]


@pytest.mark.parametrize("task_id", EXCLUDED)
def test_an_excluded_task_gets_no_hidden_calls(task_id: str) -> None:
    assert hidden_calls(task_id, ["assert f(1) == 2"], "f", [[3]]) == []


def test_a_test_of_an_argument_that_is_no_literal_gives_no_calls() -> None:
    assert hidden_calls("1000", ["assert f(Pair(1)) == 2"], "f", [[3]]) == []


def test_a_row_gets_its_calls_and_the_other_solution() -> None:
    plus = {"entry_point": "add", "base_input": [[1, 2]], "plus_input": [[3, 4]], "canonical_solution": "x"}

    assert with_calls(ROW, plus) == {**ROW, "hidden_calls": ["add(3, 4)"], "other_solutions": ["x"]}


def test_the_adapter_reads_hidden_tests_where_they_are_and_shows_none() -> None:
    hidden = ["assert add(3, 4) == 7"]

    item = mbpp(_row(hidden_test_list=hidden, reference_cpu_ms=1.5))

    assert item.reference.hidden_tests == tuple(hidden)
    assert item.reference.reference_cpu_ms == 1.5
    assert "add(3, 4)" not in item.prompt


def test_a_row_without_them_has_none() -> None:
    reference = mbpp(_row()).reference

    assert (reference.hidden_tests, reference.reference_cpu_ms) == ((), 0.0)


def test_a_reference_known_to_be_slow_brings_its_time() -> None:
    assert mbpp(_row(task_id=123)).reference.reference_cpu_ms > 2_000


def test_a_time_that_is_no_number_is_refused() -> None:
    with pytest.raises(ColumnError, match="reference_cpu_ms"):
        mbpp(_row(reference_cpu_ms="fast"))
