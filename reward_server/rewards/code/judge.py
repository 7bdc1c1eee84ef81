"""Turns what came of a program into a grade. Pure: a run and the tests in, a grade out.

All or nothing: every test passes (CORRECT, 1.0) or the value is 0. Partial pay would reward
tables of the tests that a prompt shows; the share of passed tests is the component
`tests_passed`, for people. Where a reference has hidden tests, `visible` and `hidden` are the
shares of each kind: a gap between them is what a table of the shown tests looks like. PARTIAL
is for rewards that pay in part, so it never occurs here.

    a test returned the wrong value            INCORRECT
    every test raised                          RUNTIME_ERROR (a name that is not defined, most often)
    the program did not load, or died          RUNTIME_ERROR
    CPU or wall, memory, size of results       TIME_LIMIT, MEMORY_LIMIT, OUTPUT_LIMIT
    its results are forged or broken           REJECTED

Nothing that a program can do ends in a failure: a missing result is as good as a wrong one.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final

from reward_server.api import Grade, Verdict
from reward_server.rewards.code.assertions import Assertion
from reward_server.rewards.code.compare import difference
from reward_server.rewards.code.suites import Suite
from sandbox.api import CallResult, Raised, Run, RunStatus, Unserializable, Value

TESTS_PASSED: Final = "tests_passed"
VISIBLE: Final = "visible"
HIDDEN: Final = "hidden"
MAX_FOREIGN_CHARS: Final = 200
MAX_CALL_CHARS: Final = 120

_UNFINISHED: Final[Mapping[RunStatus, tuple[Verdict, str]]] = MappingProxyType(
    {
        RunStatus.LOAD_ERROR: (Verdict.RUNTIME_ERROR, "the program does not load"),
        RunStatus.CRASHED: (Verdict.RUNTIME_ERROR, "the program died before the tests were done"),
        RunStatus.CPU_LIMIT: (Verdict.TIME_LIMIT, "the program used up its CPU time"),
        RunStatus.WALL_LIMIT: (Verdict.TIME_LIMIT, "the program did not end in time"),
        RunStatus.MEMORY_LIMIT: (Verdict.MEMORY_LIMIT, "the program used up its memory"),
        RunStatus.OUTPUT_LIMIT: (Verdict.OUTPUT_LIMIT, "the results of the program are too large"),
        RunStatus.BAD_RESULT: (Verdict.REJECTED, "what the program sent is not a set of results"),
    }
)


def no_program(suite: Suite) -> Grade:
    """Grade an answer in which no program was found."""
    return _untested(suite, Verdict.NO_ANSWER, "the answer holds no Python code")


def judge(run: Run, suite: Suite) -> Grade:
    """Compare each result with what its test expects."""
    if run.status is not RunStatus.OK:
        verdict, reason = _UNFINISHED[run.status]
        return _untested(suite, verdict, f"{reason}: {_foreign(run.detail)}" if run.detail else reason)
    if len(run.results) != len(suite.assertions):
        explanation = f"{len(run.results)} results for {len(suite.assertions)} tests"
        return _untested(suite, Verdict.REJECTED, explanation)
    faults = [_fault(*pair) for pair in zip(run.results, suite.assertions, strict=True)]
    return _grade(faults, suite, all_raised=all(isinstance(result, Raised) for result in run.results))


def _untested(suite: Suite, verdict: Verdict, explanation: str) -> Grade:
    components = _shares(["not run"] * len(suite.assertions), suite.visible)
    return Grade(value=0.0, verdict=verdict, explanation=explanation, components=components)


def _shares(faults: Sequence[str | None], visible: int) -> dict[str, float]:
    """Return the share of tests without a fault: over all, and of each kind where some are hidden."""
    parts = {TESTS_PASSED: faults}
    if visible < len(faults):
        parts |= {VISIBLE: faults[:visible], HIDDEN: faults[visible:]}
    return {name: part.count(None) / len(part) for name, part in parts.items()}


def _grade(faults: list[str | None], suite: Suite, *, all_raised: bool) -> Grade:
    total = len(faults)
    passed = faults.count(None)
    components = _shares(faults, suite.visible)
    if passed == total:
        passes = f"passes {total} of {total} tests"
        return Grade(value=1.0, verdict=Verdict.CORRECT, explanation=passes, components=components)
    return Grade(
        value=0.0,
        verdict=Verdict.RUNTIME_ERROR if all_raised else Verdict.INCORRECT,
        explanation=f"{_first_fault(faults, suite)}; {passed} of {total} tests pass",
        components=components,
    )


def _first_fault(faults: Sequence[str | None], suite: Suite) -> str:
    """Say what the first failing test found; of a hidden one only that it fails.

    An explanation may be shown to the model: one hidden value a reply would soon be all of them.
    """
    number, fault = next((number, fault) for number, fault in enumerate(faults) if fault is not None)
    if number >= suite.visible:
        return f"hidden test {number - suite.visible + 1} of {len(faults) - suite.visible} fails"
    call = suite.assertions[number].call
    call = call if len(call) <= MAX_CALL_CHARS else call[:MAX_CALL_CHARS] + "..."
    return f"test {number + 1} of {len(faults)}: {call} {fault}"


def _fault(result: CallResult, assertion: Assertion) -> str | None:
    match result:
        case Value(data):
            return difference(data, assertion.expected, assertion.tolerance)
        case Raised(type_name, message):
            return f"raised {_foreign(f'{type_name}: {message}' if message else type_name)}"
        case Unserializable(type_name):
            return f"returned an object of type {_foreign(type_name)}, which is not plain data"


def _foreign(text: str) -> str:
    """Make text from the sandbox fit to show: one short line without control characters."""
    line = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text[:MAX_FOREIGN_CHARS])
    return line + "..." if len(text) > MAX_FOREIGN_CHARS else line
