"""The code reward on the real sandbox, for the tests beside this file."""

from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

from reward_server.api import CodeReference, Grade, Sample
from reward_server.rewards.code import CodeReward
from sandbox.api import Limits
from sandbox.opening import open_sandbox
from sandbox.options import SandboxOptions


@dataclass(frozen=True, slots=True)
class Grader:
    """Grades answers, one after the other, in one container."""

    reward: CodeReward

    async def __call__(self, answer: str, reference: CodeReference) -> Grade:
        sample = Sample(sample_id="1", reward="code", prompt="", completion="", reference=reference)
        grade = self.reward.grade(sample, answer)
        return await grade if isinstance(grade, Awaitable) else grade


@asynccontextmanager
async def open_grader(limits: Limits, options: SandboxOptions | None = None) -> AsyncIterator[Grader]:
    """Start one container, and remove it at the end."""
    sandbox = await open_sandbox(replace(options or SandboxOptions(), slots=1))
    try:
        await sandbox.check()
        yield Grader(CodeReward(sandbox, limits=limits))
    finally:
        await sandbox.close()
