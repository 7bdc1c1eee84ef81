"""Trusted tests are split into a call and an expected value, or refused with the reason."""

import json
import math
import sys
from pathlib import Path
from typing import Any

import pytest

from reward_server.api import CodeReference
from reward_server.errors import BadReferenceError
from reward_server.rewards.code.suites import MAX_REFERENCE_CHARS, parse_suite

CASES = Path(__file__).resolve().parents[2] / "cases"
ROWS = [json.loads(line) for line in (CASES / "code_asserts.jsonl").read_text("utf-8").splitlines()]


def sizeof(*members: object) -> int:
    return sys.getsizeof(members)


NAMES = {"nan": math.nan, "inf": math.inf, "sizeof": sizeof}


def _id(row: dict[str, Any]) -> str:
    return row["test"][:60] or "empty"


@pytest.mark.parametrize("row", [row for row in ROWS if "call" in row], ids=_id)
def test_an_assert_becomes_a_call_and_a_value(row: dict[str, Any]) -> None:
    suite = parse_suite(CodeReference(tests=(row["test"],)))

    (assertion,) = suite.assertions
    expected = eval(row["expected"], dict(NAMES))
    assert assertion.call == row["call"], row["why"]
    assert repr(assertion.expected) == repr(expected), row["why"]
    assert assertion.function == suite.entry_point == row["function"], row["why"]
    assert assertion.tolerance.relative == row["relative"], row["why"]
    assert assertion.tolerance.absolute == row["absolute"], row["why"]


@pytest.mark.parametrize("row", [row for row in ROWS if "refused" in row], ids=_id)
def test_an_assert_of_another_shape_is_refused(row: dict[str, Any]) -> None:
    with pytest.raises(BadReferenceError) as caught:
        parse_suite(CodeReference(tests=("assert f(1) == 2", row["test"])))

    assert str(caught.value).startswith("tests[1]: "), row["why"]
    assert row["refused"] in str(caught.value), row["why"]
    assert len(str(caught.value)) < 600


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        (CodeReference(tests=()), "tests: a code reference needs at least one assert"),
        (CodeReference(tests=("assert f(1) == 2",), imports=("import",)), "imports[0]: not Python"),
        (
            CodeReference(tests=("assert f(1) == 2",), imports=("import re", "x = 1")),
            "imports[1]: not an import",
        ),
        (CodeReference(tests=("assert f(1) == 2",), setup="def"), "setup: not Python"),
        (
            CodeReference(tests=("assert f(1) == 2",), setup="#" * MAX_REFERENCE_CHARS),
            f"tests: {MAX_REFERENCE_CHARS + 16} characters are more than the",
        ),
    ],
)
def test_a_reference_that_cannot_be_used_names_the_field(reference: CodeReference, message: str) -> None:
    with pytest.raises(BadReferenceError) as caught:
        parse_suite(reference)

    assert str(caught.value).startswith(message)


def test_no_expected_value_is_in_what_enters_the_sandbox() -> None:
    calls = [
        parse_suite(CodeReference(tests=(row["test"],))).assertions[0].call for row in ROWS if "call" in row
    ]

    assert not [call for call in calls if "==" in call]


def test_the_given_entry_point_wins_over_the_called_name() -> None:
    tests = ("assert len(f(1)) == 2",)

    assert parse_suite(CodeReference(tests=tests)).entry_point == "f"
    assert parse_suite(CodeReference(tests=tests, entry_point="g")).entry_point == "g"


def test_a_hidden_test_that_does_not_fit_is_refused_by_its_own_name() -> None:
    reference = CodeReference(tests=("assert f(1) == 1",), hidden_tests=("assert f(2) == 2", "f(3)"))

    with pytest.raises(BadReferenceError, match=r"hidden_tests\[1\]: needs exactly one assert"):
        parse_suite(reference)


def test_hidden_tests_alone_are_no_reference() -> None:
    with pytest.raises(BadReferenceError, match="tests: a code reference needs at least one assert"):
        parse_suite(CodeReference(tests=(), hidden_tests=("assert f(1) == 1",)))
