"""Held-out tests: expected values computed from reference solutions, through the sandbox itself.

    python -m reward_server.rewards.code.hidden ROWS.jsonl OUT.jsonl

A row is a row of MBPP with two more columns, which the output has not any more:

    hidden_calls      expressions to evaluate, e.g. "f([1, 2])" or "set(f((1, 2)))"
    other_solutions   more solutions, which have to agree with `code`; may be absent

and gets two others: `hidden_test_list` and `reference_cpu_ms`. A call becomes a test only if its
value can be trusted and written: the reference returns plain data, the same twice; all
solutions agree; the value is of bounded size and no large number that float arithmetic may have
rounded. A row gets hidden tests only if its reference passes them all, with the visible ones.
"""

import ast
import asyncio
import json
import math
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import tyro

from reward_server.api import CodeReference
from reward_server.errors import BadReferenceError
from reward_server.rewards.code.compare import Tolerance, difference
from reward_server.rewards.code.judge import judge
from reward_server.rewards.code.suites import parse_suite
from sandbox.api import CallResult, Limits, Program, Run, RunStatus, Sandbox, Value
from sandbox.opening import open_sandbox
from sandbox.options import SandboxOptions

MAX_TEST_CHARS: Final = 2_000
MAX_CHARS: Final = 32 * 1024  # of all hidden tests of a row: they travel with every sample
EXACT_INT: Final = 2**53  # integers beyond it are rounded by float arithmetic
_CONTAINERS: Final = frozenset({list, tuple, set, frozenset})
LIMITS: Final = Limits(cpu_seconds=15.0, wall_seconds=120.0, result_bytes=4 * 1024 * 1024)


@dataclass(frozen=True, kw_only=True, slots=True)
class Problem:
    """A reference solution and its visible tests, the calls to make tests of, and further solutions."""

    code: str
    reference: CodeReference
    calls: tuple[str, ...]
    other_solutions: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Derived:
    """Hidden tests, the CPU time of the reference on all tests, and why calls were dropped, counted."""

    tests: tuple[str, ...]
    reference_cpu_ms: float
    dropped: Mapping[str, int] = field(default_factory=dict[str, int])


async def derive(sandbox: Sandbox, problem: Problem) -> Derived:
    """Make hidden tests of a problem's calls.

    Raises:
        BadReferenceError: the reference fails its own tests, so that nothing can be said.
        SandboxError: no program could be run.
    """
    runs: list[Run] = []
    for code in (problem.code, problem.code, *problem.other_solutions):
        runs.append(await _evaluate(sandbox, problem, code, problem.calls))
        if runs[-1].status is not RunStatus.OK:
            why = f"a solution ends with {runs[-1].status.value}"
            return await _proven(sandbox, problem, [], {why: len(problem.calls)})
    rounded = _divides(problem.code)
    tests: list[str] = []
    dropped: Counter[str] = Counter()
    room = MAX_CHARS
    for index, call in enumerate(problem.calls):
        test, why = _test(call, [run.results[index] for run in runs], rounded=rounded)
        if test and len(test) > room:
            test, why = "", "no room"
        if test:
            tests.append(test)
            room -= len(test)
        else:
            dropped[why] += 1
    return await _proven(sandbox, problem, tests, dropped)


async def _proven(
    sandbox: Sandbox, problem: Problem, tests: list[str], dropped: Mapping[str, int]
) -> Derived:
    """Run the reference on all tests, as any answer will be."""
    given = problem.reference
    reference = CodeReference(
        tests=given.tests, setup=given.setup, imports=given.imports, hidden_tests=tuple(tests)
    )
    suite = parse_suite(reference)
    run = await _evaluate(sandbox, problem, problem.code, [each.call for each in suite.assertions])
    grade = judge(run, suite)
    if grade.value != 1.0:
        raise BadReferenceError(f"the reference fails its own tests: {grade.explanation}")
    return Derived(tests=reference.hidden_tests, reference_cpu_ms=run.cpu_ms, dropped=dropped)


async def _evaluate(sandbox: Sandbox, problem: Problem, code: str, calls: Sequence[str]) -> Run:
    reference = problem.reference
    program = Program(source=code, calls=tuple(calls), imports=reference.imports, setup=reference.setup)
    return await sandbox.run(program, LIMITS)


def _test(call: str, results: Sequence[CallResult], *, rounded: bool) -> tuple[str, str]:
    """Write the test of a call, or "" and why there is none; the first result is the reference's."""
    first, *others = results
    if not isinstance(first, Value):
        return "", "no plain data"
    expected = first.data
    if not all(isinstance(each, Value) and _same(each.data, expected) for each in others):
        return "", "solutions or runs disagree"
    if rounded and _holds_large_int(expected):
        return "", "may be rounded"
    test = f"assert {call} == {literal(expected)}"
    if len(test) > MAX_TEST_CHARS:
        return "", "too large"
    try:
        (assertion,) = parse_suite(CodeReference(tests=(test,))).assertions
    except BadReferenceError:
        return "", "no literal"
    return (test, "") if _same(assertion.expected, expected) else ("", "no literal")


def _same(actual: object, expected: object) -> bool:
    return difference(actual, expected, Tolerance()) is None


def literal(value: Any) -> str:
    """Write plain data as source that `assertions` reads back."""
    kind = _kind(value)
    if kind is float and not math.isfinite(value):
        return f'float("{value}")'
    if kind is dict:
        return "{" + ", ".join(f"{literal(key)}: {literal(value[key])}" for key in value) + "}"
    if kind not in _CONTAINERS:
        return repr(value)
    members = [literal(member) for member in value]
    if kind is tuple:
        return f"({', '.join(members)}{',' if len(members) == 1 else ''})"
    if kind is not list:
        return f"{kind.__name__}([{', '.join(sorted(members))}])"
    return f"[{', '.join(members)}]"


def _kind(value: object) -> type:
    return type(value)


def _divides(code: str) -> bool:
    """Say whether a solution computes with floats, so that large integers may come out rounded."""
    nodes = list(ast.walk(ast.parse(code)))
    divisions = any(
        isinstance(node, ast.BinOp | ast.AugAssign) and isinstance(node.op, ast.Div) for node in nodes
    )
    return divisions or any(
        isinstance(node, ast.Constant) and isinstance(node.value, float) for node in nodes
    )


def _holds_large_int(value: Any) -> bool:
    kind = _kind(value)
    if kind is dict or kind in _CONTAINERS:
        parts: list[Any] = [*value, *value.values()] if kind is dict else list(value)
        return any(map(_holds_large_int, parts))
    return kind is int and abs(value) > EXACT_INT


def _problem(row: Mapping[str, Any]) -> Problem:
    reference = CodeReference(
        tests=tuple(row["test_list"]),
        setup=row.get("test_setup_code", ""),
        imports=tuple(row.get("test_imports", ())),
    )
    return Problem(
        code=row["code"],
        reference=reference,
        calls=tuple(row["hidden_calls"]),
        other_solutions=tuple(row.get("other_solutions", ())),
    )


async def _convert(rows: Sequence[dict[str, Any]]) -> tuple[list[dict[str, Any]], Counter[str]]:
    """Give hidden tests to every row that has calls for them; the counts are of calls."""
    converted: list[dict[str, Any]] = []
    counts: Counter[str] = Counter()
    sandbox = await open_sandbox(SandboxOptions(slots=1))
    try:
        for row in rows:
            kept = {
                key: value for key, value in row.items() if key not in ("hidden_calls", "other_solutions")
            }
            if row.get("hidden_calls"):
                try:
                    derived = await derive(sandbox, _problem(row))
                except BadReferenceError as error:
                    sys.stdout.write(f"task {row['task_id']}: no hidden tests: {error}\n")
                else:
                    kept |= {"hidden_test_list": derived.tests, "reference_cpu_ms": derived.reference_cpu_ms}
                    counts.update({"kept": len(derived.tests), **derived.dropped})
            converted.append(kept)
    finally:
        await sandbox.close()
    return converted, counts


def main(source: tyro.conf.Positional[Path], target: tyro.conf.Positional[Path]) -> None:
    """Convert a file of rows, and say what became of the calls."""
    rows = [json.loads(line) for line in source.read_text("utf-8").splitlines()]
    converted, counts = asyncio.run(_convert(rows))
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text("".join(json.dumps(row) + "\n" for row in converted), "utf-8")
    for what, count in counts.most_common():
        sys.stdout.write(f"{count:>7} {what}\n")


if __name__ == "__main__":
    tyro.cli(main)
