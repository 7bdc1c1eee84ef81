"""The `code` reward: extract, run, judge. The sandbox is the only thing it talks to.

A program is loaded first, then the reference's imports and setup (MBPP's setup may use a
class of the candidate's), then the calls. CPU time decides, not wall time (`budget`).
"""

from collections.abc import Awaitable
from typing import Final

from reward_server.api import CodeReference, CostClass, Grade, Measure, RewardInfo, Sample
from reward_server.errors import BadReferenceError, SandboxUnavailableError
from reward_server.rewards.code.budget import limits_for
from reward_server.rewards.code.extract import extract
from reward_server.rewards.code.judge import judge, no_program
from reward_server.rewards.code.suites import Suite, Suites
from sandbox.api import Limits, Program, Run, RunStatus, Sandbox, SandboxError

INFO: Final = RewardInfo(
    name="code",
    version="1.3.0",
    reference=CodeReference,
    measure=Measure.CORRECTNESS,
    cost_class=CostClass.SANDBOX,
    deterministic=True,
)


class CodeReward:
    """Correct when the program in the answer passes every test of the reference."""

    def __init__(self, sandbox: Sandbox, *, limits: Limits | None = None) -> None:
        self._sandbox = sandbox
        self._limits = limits or Limits()
        self._suites = Suites()

    @property
    def info(self) -> RewardInfo:
        return INFO

    def grade(self, sample: Sample, answer: str) -> Grade | Awaitable[Grade]:
        """Judge the Python in `answer`; an answer without any is graded at once, if its tests are few.

        Raises:
            BadReferenceError: a test cannot be split into a call and an expected value, or
                the reference's CPU time is no time;
                from the awaitable, where the tests are many, or when the sandbox lacks a
                module of the imports.
            SandboxUnavailableError: from the awaitable, when no program could be run.
        """
        reference = sample.reference
        if not isinstance(reference, CodeReference):
            raise BadReferenceError(f"reference: code needs tests, got {type(reference).__name__}")
        limits = limits_for(reference.reference_cpu_ms, self._limits)
        suite = self._suites.suite(reference)
        if isinstance(suite, Suite):
            return self._grade(answer, reference, suite, limits)
        return self._grade_later(answer, reference, suite, limits)

    async def _grade_later(
        self, answer: str, reference: CodeReference, suite: Awaitable[Suite], limits: Limits
    ) -> Grade:
        grade = self._grade(answer, reference, await suite, limits)
        return await grade if isinstance(grade, Awaitable) else grade

    def _grade(
        self, answer: str, reference: CodeReference, suite: Suite, limits: Limits
    ) -> Grade | Awaitable[Grade]:
        source = extract(answer, suite.entry_point)
        return no_program(suite) if source is None else self._run(source, reference, suite, limits)

    async def _run(self, source: str, reference: CodeReference, suite: Suite, limits: Limits) -> Grade:
        program = Program(
            source=source,
            calls=tuple(assertion.call for assertion in suite.assertions),
            imports=reference.imports,
            setup=reference.setup,
        )
        run = await self._execute(program, limits)
        if run.status is RunStatus.LOAD_ERROR and reference.imports:
            await self._check_imports(reference)
        return judge(run, suite)

    async def _check_imports(self, reference: CodeReference) -> None:
        """Blame the reference when its imports fail without any program.

        What a failing program says of itself is no evidence, so the imports are run alone.
        """
        run = await self._execute(Program(source="", calls=(), imports=reference.imports), self._limits)
        if run.status is RunStatus.LOAD_ERROR:
            raise BadReferenceError(f"imports: the sandbox cannot load them: {run.detail}")

    async def _execute(self, program: Program, limits: Limits) -> Run:
        try:
            return await self._sandbox.run(program, limits)
        except SandboxError as error:
            raise SandboxUnavailableError(f"no program could be run: {error}") from error
