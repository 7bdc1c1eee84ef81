"""No program is run in a sandbox that has not passed its examination."""

import asyncio
from collections.abc import Awaitable

import pytest

from reward_server.api import CodeReference, FailureKind, Sample
from reward_server.errors import SandboxUnavailableError
from reward_server.rewards.code import CodeReward
from reward_server.sandboxes.guarded import GuardedSandbox
from sandbox.api import Limits, Program, Run, RunStatus, Sandbox, SandboxError, Usage

PROGRAM = Program(source="", calls=())


class Counting:
    """Runs nothing, and counts."""

    name = "counting"
    slots = 1
    usage = Usage()

    def __init__(self) -> None:
        self.runs = 0

    async def run(self, program: Program, limits: Limits) -> Run:
        self.runs += 1
        return Run(status=RunStatus.OK)

    async def check(self) -> None:
        """Always ready."""

    async def close(self) -> None:
        """Nothing was started."""


class Examiner:
    """Finds what it is told to find, one answer after the other, the last one for good."""

    def __init__(self, *found: str | SandboxUnavailableError | None) -> None:
        self._found = list(found)
        self.examinations = 0
        self.at_once: list[int] = []

    async def __call__(self, sandbox: Sandbox, at_once: int) -> str | None:
        self.examinations += 1
        self.at_once.append(at_once)
        await asyncio.sleep(0)
        found = self._found.pop(0) if len(self._found) > 1 else self._found[0]
        if isinstance(found, SandboxUnavailableError):
            raise found
        return found


async def test_programs_that_come_at_once_wait_for_one_examination() -> None:
    sandbox, examiner = Counting(), Examiner(None)
    guarded = GuardedSandbox(sandbox, examiner)

    await asyncio.gather(*(guarded.run(PROGRAM, Limits()) for _ in range(5)))

    assert (examiner.examinations, sandbox.runs) == (1, 5)


async def test_no_program_is_run_after_a_cheat_was_paid() -> None:
    sandbox = Counting()
    guarded = GuardedSandbox(sandbox, Examiner("cheats were paid: constant"))

    for attempt in (guarded.run(PROGRAM, Limits()), guarded.run(PROGRAM, Limits()), guarded.check()):
        with pytest.raises(SandboxError, match="failed its self-check: cheats were paid: constant"):
            await attempt

    assert sandbox.runs == 0
    assert guarded.refusal is not None


async def test_a_later_examination_stops_a_sandbox_that_was_trusted() -> None:
    guarded = GuardedSandbox(Counting(), Examiner(None, "right answers were refused: plain"))
    await guarded.run(PROGRAM, Limits())

    await guarded.examine()

    with pytest.raises(SandboxError, match="right answers were refused: plain"):
        await guarded.run(PROGRAM, Limits())


async def test_a_refused_sandbox_is_used_again_once_it_passes() -> None:
    guarded = GuardedSandbox(Counting(), Examiner("cheats were paid: constant", None))
    await guarded.examine()

    await guarded.examine()

    assert (await guarded.run(PROGRAM, Limits())).status is RunStatus.OK


async def test_an_engine_that_is_away_is_neither_a_pass_nor_a_refusal() -> None:
    sandbox = Counting()
    guarded = GuardedSandbox(sandbox, Examiner(SandboxUnavailableError("no engine"), None))

    with pytest.raises(SandboxError, match="no engine"):
        await guarded.run(PROGRAM, Limits())

    assert (guarded.refusal, sandbox.runs) == (None, 0)
    assert (await guarded.run(PROGRAM, Limits())).status is RunStatus.OK


async def test_an_engine_that_goes_away_later_leaves_the_trust_as_it_was() -> None:
    guarded = GuardedSandbox(Counting(), Examiner(None, SandboxUnavailableError("no engine")))
    await guarded.examine()

    with pytest.raises(SandboxError, match="no engine"):
        await guarded.examine()

    assert (await guarded.run(PROGRAM, Limits())).status is RunStatus.OK


async def test_a_caller_that_leaves_during_the_examination_takes_no_one_along() -> None:
    sandbox, examiner = Counting(), Examiner(None)
    guarded = GuardedSandbox(sandbox, examiner)
    first, second = (asyncio.create_task(guarded.run(PROGRAM, Limits())) for _ in range(2))
    await asyncio.sleep(0)

    first.cancel()

    assert (await second).status is RunStatus.OK
    assert (first.cancelled(), sandbox.runs) == (True, 1)


async def test_the_watch_examines_again_and_again() -> None:
    examiner = Examiner(None)
    guarded = GuardedSandbox(Counting(), examiner)
    watch = asyncio.create_task(guarded.watch(0.001))

    async with asyncio.timeout(30):
        while examiner.examinations < 3:
            await asyncio.sleep(0.001)

    watch.cancel()
    await asyncio.gather(watch, return_exceptions=True)


async def test_code_in_a_refused_sandbox_is_a_failure_and_no_score() -> None:
    reward = CodeReward(GuardedSandbox(Counting(), Examiner("cheats were paid: constant")))
    reference = CodeReference(tests=("assert f() == 1",))
    sample = Sample(sample_id="1", reward="code", prompt="", completion="", reference=reference)

    graded = reward.grade(sample, "def f():\n    return 1")
    assert isinstance(graded, Awaitable)

    with pytest.raises(SandboxUnavailableError, match="cheats were paid: constant") as caught:
        await graded
    assert caught.value.kind is FailureKind.SANDBOX


async def test_the_first_examination_has_all_slots_and_a_later_one_a_single_slot() -> None:
    sandbox, examiner = Counting(), Examiner(None)
    sandbox.slots = 4
    guarded = GuardedSandbox(sandbox, examiner)

    await guarded.examine()
    await guarded.examine()

    assert examiner.at_once == [4, 1]


async def test_a_refused_sandbox_is_examined_with_all_slots_as_nothing_else_runs() -> None:
    sandbox, examiner = Counting(), Examiner("cheats were paid: constant", None)
    sandbox.slots = 4
    guarded = GuardedSandbox(sandbox, examiner)

    await guarded.examine()
    await guarded.examine()

    assert examiner.at_once == [4, 4]
