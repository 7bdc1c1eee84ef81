"""Held-out tests are made through the real sandbox, and they catch what visible tests do not."""

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from reward_server.api import CodeReference, Verdict
from reward_server.errors import BadReferenceError
from reward_server.rewards.code import CodeReward
from reward_server.rewards.code.hidden import Derived, Problem, derive
from sandbox.api import Sandbox
from sandbox.opening import open_sandbox
from sandbox.options import SandboxOptions
from tasks.held_out import with_calls
from tests.integration.code_reward_grader import Grader

pytestmark = [pytest.mark.docker, pytest.mark.asyncio(loop_scope="session")]

SQUARE = "def f(n):\n    return n * n\n"
VISIBLE = CodeReference(tests=("assert f(2) == 4",))


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def sandbox(sandbox_image: str) -> AsyncIterator[Sandbox]:
    sandbox = await open_sandbox(SandboxOptions(slots=1))
    yield sandbox
    await sandbox.close()


async def _derive(sandbox: Sandbox, code: str, *calls: str, others: tuple[str, ...] = ()) -> Derived:
    problem = Problem(code=code, reference=VISIBLE, calls=calls, other_solutions=others)
    return await derive(sandbox, problem)


async def test_a_call_becomes_a_test_of_the_value_that_the_reference_returns(sandbox: Sandbox) -> None:
    derived = await _derive(sandbox, SQUARE, "f(3)", "set([f(4)])", "f(0.1)", others=(SQUARE,))

    assert derived.tests == (
        "assert f(3) == 9",
        "assert set([f(4)]) == set([16])",
        "assert f(0.1) == 0.010000000000000002",
    )
    assert derived.dropped == {}
    assert derived.reference_cpu_ms > 0


@pytest.mark.parametrize(
    ("code", "call", "why"),
    [
        ("def f(n):\n    return n * n if n < 3 else 1 / 0\n", "f(3)", "no plain data"),
        ("def f(n):\n    return n * n if n < 3 else object()\n", "f(3)", "no plain data"),
        (
            "import time\ndef f(n):\n    return n * n if n < 3 else time.time_ns()\n",
            "f(3)",
            "solutions or runs disagree",
        ),
        ("def f(n):\n    return n * n if n < 3 else int(2e19 / 3)\n", "f(3)", "may be rounded"),
        ("def f(n):\n    return n * n if n < 3 else 'x' * 5000\n", "f(3)", "too large"),
    ],
)
async def test_a_value_that_cannot_be_trusted_or_written_gives_no_test(
    code: str, call: str, why: str, sandbox: Sandbox
) -> None:
    derived = await _derive(sandbox, code, call)

    assert (derived.tests, derived.dropped) == ((), {why: 1})


async def test_solutions_that_disagree_give_no_test(sandbox: Sandbox) -> None:
    other = "def f(n):\n    return n * n if n < 3 else n\n"

    derived = await _derive(sandbox, SQUARE, "f(1)", "f(3)", others=(other,))

    assert (derived.tests, derived.dropped) == (("assert f(1) == 1",), {"solutions or runs disagree": 1})


async def test_a_solution_that_does_not_run_gives_no_tests_at_all(sandbox: Sandbox) -> None:
    derived = await _derive(sandbox, SQUARE, "f(1)", "f(3)", others=("import no_such_module",))

    assert (derived.tests, derived.dropped) == ((), {"a solution ends with load_error": 2})


async def test_a_reference_that_fails_its_visible_tests_is_refused(sandbox: Sandbox) -> None:
    with pytest.raises(BadReferenceError, match=r"fails its own tests: test 1 of 2: f\(2\) returned 3"):
        await _derive(sandbox, "def f(n):\n    return n + 1\n", "f(3)")


@pytest.mark.data
async def test_hidden_tests_of_real_tasks_pay_the_reference_and_no_table_of_the_shown_tests(
    sandbox: Sandbox, data_dir: Path
) -> None:
    grade = Grader(CodeReward(sandbox))
    plus = {row["task_id"]: row for row in _lines(data_dir / "mbppplus" / "evalplus_native.jsonl")}
    rows = [row for row in _lines(data_dir / "mbpp" / "train.jsonl") if f"Mbpp/{row['task_id']}" in plus]

    checked = 0
    for row in rows[:12]:
        extended = with_calls(row, plus[f"Mbpp/{row['task_id']}"])
        visible = CodeReference(tests=tuple(row["test_list"]))
        calls = tuple(extended["hidden_calls"])
        problem = Problem(code=row["code"], reference=visible, calls=calls)
        derived = await derive(sandbox, problem)
        if not derived.tests:
            continue
        checked += 1
        reference = replace(visible, hidden_tests=derived.tests, reference_cpu_ms=derived.reference_cpu_ms)
        honest, cheat = await grade(row["code"], reference), await grade(_table_of(row), reference)

        assert honest.verdict is Verdict.CORRECT, f"task {row['task_id']}: {honest.explanation}"
        assert honest.components["hidden"] == 1.0
        assert cheat.value == 0.0, f"task {row['task_id']}: {cheat.explanation}"
        assert cheat.components["visible"] == 1.0
        assert cheat.components["hidden"] < 1.0
    assert checked >= 8


def _lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def _table_of(row: dict[str, Any]) -> str:
    """A program that knows the shown tests by heart, and nothing else."""
    cases = [test.strip().removeprefix("assert ").rsplit("==", 1) for test in row["test_list"]]
    name = cases[0][0].split("(", 1)[0].strip()
    pairs = ", ".join(f"(({call.strip().removeprefix(name)[1:-1]},), {value})" for call, value in cases)
    return (
        f"def {name}(*given):\n    return next((value for key, value in [{pairs}] if key == given), None)\n"
    )
