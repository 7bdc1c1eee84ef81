"""A burst of honest, CPU-heavy programs meets no time limit: neither waiting nor sharing a CPU counts."""

import asyncio
from collections.abc import Awaitable

import pytest

from reward_server.api import CodeReference, Grade, Sample, Verdict
from reward_server.rewards.code import CodeReward
from sandbox.api import Limits
from sandbox.opening import open_sandbox
from sandbox.options import SandboxOptions

pytestmark = pytest.mark.docker

PROGRAMS = 24
SLOTS = 6  # more than most test machines have CPUs, so that programs share them
# Of wall time less than a program needs while it shares a CPU: only sleeping may cost it.
LIMITS = Limits(wall_seconds=0.5)
# Burns CPU time, not wall time, so that the work is the same on every machine.
HEAVY = """
import time
def f(n):
    start = time.process_time()
    while time.process_time() - start < 0.45:
        pass
    return n * n
"""


async def test_a_burst_of_heavy_programs_has_no_false_timeouts(sandbox_image: str) -> None:
    sandbox = await open_sandbox(SandboxOptions(slots=SLOTS))
    try:
        reward = CodeReward(sandbox, limits=LIMITS)
        grades = await asyncio.gather(*(_grade(reward, number) for number in range(PROGRAMS)))
    finally:
        await sandbox.close()

    assert [each.explanation for each in grades if each.verdict is not Verdict.CORRECT] == []


async def _grade(reward: CodeReward, number: int) -> Grade:
    reference = CodeReference(tests=(f"assert f({number}) == {number**2}",))
    sample = Sample(sample_id=str(number), reward="code", prompt="", completion="", reference=reference)
    grade = reward.grade(sample, HEAVY)
    return await grade if isinstance(grade, Awaitable) else grade
