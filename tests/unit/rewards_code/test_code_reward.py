"""The reward sends calls alone to the sandbox, and turns what is not the candidate's into errors."""

import inspect
from collections.abc import Awaitable
from dataclasses import replace

import pytest

from reward_server.api import (
    CodeReference,
    CostClass,
    Grade,
    MathReference,
    Measure,
    Reference,
    Sample,
    Verdict,
)
from reward_server.errors import BadReferenceError, SandboxUnavailableError
from reward_server.rewards.code import CodeReward
from sandbox.api import CallResult, Limits, Program, Run, RunStatus, SandboxError, Usage, Value

REFERENCE = CodeReference(
    tests=("assert add(1, 2) == 3", "assert add(1000, 234) == 1234"),
    setup="x = 1",
    imports=("import math",),
)
ANSWER = "```python\ndef add(a, b):\n    return a + b\n```"


class ScriptedSandbox:
    """Answers every program with one run, and remembers what it was asked."""

    name = "scripted"
    slots = 1
    usage = Usage()

    def __init__(
        self,
        *results: CallResult,
        status: RunStatus = RunStatus.OK,
        error: SandboxError | None = None,
    ) -> None:
        self.asked: list[tuple[Program, Limits]] = []
        self._run = Run(status=status, results=results, detail=status.value)
        self._error = error

    async def run(self, program: Program, limits: Limits) -> Run:
        self.asked.append((program, limits))
        if self._error:
            raise self._error
        return self._run

    async def check(self) -> None:
        """Always ready."""

    async def close(self) -> None:
        """Nothing was started."""


def _sample(reference: Reference | None) -> Sample:
    return Sample(sample_id="1", reward="code", prompt="add", completion="", reference=reference)


async def _grade(reward: CodeReward, answer: str, reference: Reference | None = REFERENCE) -> Grade:
    grade = reward.grade(_sample(reference), answer)
    return await grade if isinstance(grade, Awaitable) else grade


async def test_the_sandbox_is_given_the_program_and_the_calls_and_no_expected_value() -> None:
    sandbox = ScriptedSandbox(Value(3), Value(1234))
    limits = Limits(cpu_seconds=0.5)

    grade = await _grade(CodeReward(sandbox, limits=limits), ANSWER)

    assert grade.verdict is Verdict.CORRECT
    program = Program(
        source="def add(a, b):\n    return a + b\n",
        calls=("add(1, 2)", "add(1000, 234)"),
        imports=("import math",),
        setup="x = 1",
    )
    assert sandbox.asked == [(program, limits)]
    assert "1234" not in repr(program)


async def test_an_answer_without_code_is_graded_at_once() -> None:
    sandbox = ScriptedSandbox()

    grade = CodeReward(sandbox).grade(_sample(REFERENCE), "I do not know")

    assert isinstance(grade, Grade)
    assert (grade.value, grade.verdict) == (0.0, Verdict.NO_ANSWER)
    assert sandbox.asked == []


async def test_a_sandbox_that_is_down_is_no_score() -> None:
    reward = CodeReward(ScriptedSandbox(error=SandboxError("no engine")))

    with pytest.raises(SandboxUnavailableError, match="no program could be run: no engine"):
        await _grade(reward, ANSWER)


@pytest.mark.parametrize(
    "reference", [None, MathReference(answer="3"), CodeReference(tests=("assert f(1) != 2",))]
)
async def test_a_reference_that_cannot_be_used_is_no_score(reference: Reference | None) -> None:
    sandbox = ScriptedSandbox()

    with pytest.raises(BadReferenceError):
        await _grade(CodeReward(sandbox), ANSWER, reference)

    assert sandbox.asked == []


async def test_imports_that_fail_without_a_program_are_no_score() -> None:
    sandbox = ScriptedSandbox(status=RunStatus.LOAD_ERROR)

    with pytest.raises(BadReferenceError, match="imports: the sandbox cannot load them: load_error"):
        await _grade(CodeReward(sandbox), ANSWER)

    assert sandbox.asked[1][0] == Program(source="", calls=(), imports=("import math",))


async def test_a_program_that_does_not_load_is_run_once_when_there_are_no_imports() -> None:
    sandbox = ScriptedSandbox(status=RunStatus.LOAD_ERROR)

    grade = await _grade(CodeReward(sandbox), ANSWER, replace(REFERENCE, imports=()))

    assert (grade.value, grade.verdict) == (0.0, Verdict.RUNTIME_ERROR)
    assert len(sandbox.asked) == 1


async def test_the_entry_point_of_the_reference_chooses_the_block() -> None:
    sandbox = ScriptedSandbox(Value(3), Value(1234))

    await _grade(CodeReward(sandbox), ANSWER + "\nUsage:\n```python\nprint(add(1, 2))\n```")

    assert sandbox.asked[0][0].source == "def add(a, b):\n    return a + b\n"


def test_the_info_says_what_the_reward_is() -> None:
    info = CodeReward(ScriptedSandbox()).info

    assert (info.name, info.version, info.reference) == ("code", "1.3.0", CodeReference)
    assert (info.measure, info.cost_class, info.deterministic) == (
        Measure.CORRECTNESS,
        CostClass.SANDBOX,
        True,
    )


def test_grading_is_lazy_so_that_a_queue_can_hold_it() -> None:
    sandbox = ScriptedSandbox(Value(3), Value(1234))

    pending = CodeReward(sandbox).grade(_sample(REFERENCE), ANSWER)

    assert inspect.iscoroutine(pending)
    assert sandbox.asked == []
    pending.close()
