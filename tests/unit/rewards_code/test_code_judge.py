"""Every way in which a program ends has its verdict, and none of them is a failure."""

import pytest

from reward_server.api import CodeReference, Verdict
from reward_server.rewards.code.judge import judge
from reward_server.rewards.code.suites import parse_suite
from sandbox.api import CallResult, Raised, Run, RunStatus, Unserializable, Value

SUITE = parse_suite(CodeReference(tests=("assert f(1) == 1", "assert f(2) == 2", "assert f(3) == 3")))
HALF_HIDDEN = parse_suite(
    CodeReference(
        tests=("assert f(1) == 1", "assert f(2) == 2"),
        hidden_tests=("assert f(3) == 3", "assert f(4) == 4", "assert f(5) == 5", "assert f(6) == 6"),
    )
)


def _run(*results: CallResult) -> Run:
    return Run(status=RunStatus.OK, results=results)


def test_a_program_that_passes_every_test_is_correct() -> None:
    grade = judge(_run(Value(1), Value(2), Value(3)), SUITE)

    assert (grade.value, grade.verdict, grade.components) == (1.0, Verdict.CORRECT, {"tests_passed": 1.0})
    assert grade.explanation == "passes 3 of 3 tests"


def test_a_program_that_passes_some_tests_is_worth_nothing() -> None:
    grade = judge(_run(Value(1), Value(None), Value(3)), SUITE)

    assert (grade.value, grade.verdict, grade.components) == (0.0, Verdict.INCORRECT, {"tests_passed": 2 / 3})
    assert grade.explanation == "test 2 of 3: f(2) returned None, expected 2; 2 of 3 tests pass"


def test_a_table_of_the_shown_tests_shows_as_a_gap_between_visible_and_hidden() -> None:
    grade = judge(_run(Value(1), Value(2), Value(3), Value(0), Value(0), Value(0)), HALF_HIDDEN)

    assert (grade.value, grade.verdict) == (0.0, Verdict.INCORRECT)
    assert grade.components == {"tests_passed": 0.5, "visible": 1.0, "hidden": 0.25}


def test_an_explanation_tells_nothing_of_a_hidden_test() -> None:
    grade = judge(_run(*map(Value, (1, 2, 3, 0, 5, 6))), HALF_HIDDEN)

    assert grade.explanation == "hidden test 2 of 4 fails; 5 of 6 tests pass"


def test_hidden_tests_decide_as_much_as_visible_ones() -> None:
    grade = judge(_run(*map(Value, range(1, 7))), HALF_HIDDEN)

    assert (grade.value, grade.verdict) == (1.0, Verdict.CORRECT)
    assert grade.components == {"tests_passed": 1.0, "visible": 1.0, "hidden": 1.0}


def test_a_program_without_results_passes_neither_visible_nor_hidden_tests() -> None:
    grade = judge(Run(status=RunStatus.CPU_LIMIT), HALF_HIDDEN)

    assert grade.components == {"tests_passed": 0.0, "visible": 0.0, "hidden": 0.0}


def test_a_program_that_raises_in_every_test_has_a_runtime_error() -> None:
    raised = Raised("NameError", "name 'f' is not defined")

    grade = judge(_run(raised, raised, raised), SUITE)

    assert (grade.value, grade.verdict) == (0.0, Verdict.RUNTIME_ERROR)
    assert "f(1) raised NameError: name 'f' is not defined" in grade.explanation


def test_a_program_that_raises_in_one_test_is_incorrect() -> None:
    grade = judge(_run(Value(1), Raised("ValueError", ""), Value(3)), SUITE)

    assert (grade.value, grade.verdict) == (0.0, Verdict.INCORRECT)
    assert "f(2) raised ValueError;" in grade.explanation


def test_a_result_that_is_no_plain_data_is_incorrect() -> None:
    grade = judge(_run(Unserializable("generator"), Value(2), Value(3)), SUITE)

    assert (grade.value, grade.verdict) == (0.0, Verdict.INCORRECT)
    assert "returned an object of type generator, which is not plain data" in grade.explanation


@pytest.mark.parametrize(
    ("status", "verdict"),
    [
        (RunStatus.LOAD_ERROR, Verdict.RUNTIME_ERROR),
        (RunStatus.CRASHED, Verdict.RUNTIME_ERROR),
        (RunStatus.CPU_LIMIT, Verdict.TIME_LIMIT),
        (RunStatus.WALL_LIMIT, Verdict.TIME_LIMIT),
        (RunStatus.MEMORY_LIMIT, Verdict.MEMORY_LIMIT),
        (RunStatus.OUTPUT_LIMIT, Verdict.OUTPUT_LIMIT),
        (RunStatus.BAD_RESULT, Verdict.REJECTED),
    ],
)
def test_a_program_that_does_not_end_well_has_a_verdict(status: RunStatus, verdict: Verdict) -> None:
    grade = judge(Run(status=status, detail="because"), SUITE)

    assert (grade.value, grade.verdict, grade.components) == (0.0, verdict, {"tests_passed": 0.0})
    assert grade.explanation.endswith(": because")


def test_every_status_but_ok_has_a_verdict() -> None:
    verdicts = [
        judge(Run(status=status), SUITE).verdict for status in RunStatus if status is not RunStatus.OK
    ]

    assert Verdict.CORRECT not in verdicts


@pytest.mark.parametrize("count", [0, 1, 2, 4])
def test_a_count_of_results_that_is_not_the_count_of_tests_is_rejected(count: int) -> None:
    grade = judge(_run(*[Value(n + 1) for n in range(count)]), SUITE)

    assert (grade.value, grade.verdict) == (0.0, Verdict.REJECTED)


def test_text_from_the_sandbox_is_shown_short_and_printable() -> None:
    hostile = "\x1b[2J\n\ud800\u202e" + "x" * 10**6
    runs = [
        _run(Raised(hostile, hostile), Value(2), Value(3)),
        _run(Unserializable(hostile), Value(2), Value(3)),
        _run(Value(hostile), Value(2), Value(3)),
        Run(status=RunStatus.LOAD_ERROR, detail=hostile),
    ]

    explanations = [judge(run, SUITE).explanation for run in runs]

    assert all(text.isprintable() and len(text) < 500 for text in explanations)
