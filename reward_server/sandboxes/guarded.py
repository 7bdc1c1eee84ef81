"""A sandbox that has to pass the canary before it may grade, and again every so often.

    not examined   the first program waits for an examination, which has all slots to itself
    passed         programs run; a later examination runs beside them in one slot
    refused        no program runs: SandboxError, so that a sample has a failure and no score

An examination that could not be done, as the engine is away, changes nothing: such programs
fail by themselves. A refused sandbox is examined on, and is used again once it passes.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable

from reward_server.errors import SandboxUnavailableError
from reward_server.rewards.code import CodeReward
from reward_server.rewards.code.canary import complaint, examine, load_cases
from reward_server.telemetry import logger
from sandbox.api import Limits, Program, Run, Sandbox, SandboxError, Usage

Examination = Callable[[Sandbox, int], Awaitable[str | None]]  # with so many programs at once


async def canary(sandbox: Sandbox, at_once: int) -> str | None:
    """Run the packaged red team through the code reward; None when all is well.

    Raises:
        SandboxUnavailableError: no program could be run, so nothing is known.
    """
    return complaint(await examine(CodeReward(sandbox), load_cases(), at_once=at_once))


class GuardedSandbox:
    """Stands before a sandbox it does not own. Implements `sandbox.api.Sandbox`."""

    def __init__(self, sandbox: Sandbox, examination: Examination = canary) -> None:
        self._sandbox = sandbox
        self._examination = examination
        self._examining = asyncio.Lock()
        self._examined = False
        self._refusal: str | None = None
        self._examined_at: float | None = None

    @property
    def name(self) -> str:
        return self._sandbox.name

    @property
    def slots(self) -> int:
        return self._sandbox.slots

    @property
    def usage(self) -> Usage:
        return self._sandbox.usage

    @property
    def examined_at(self) -> float | None:
        """When the last examination ended, in seconds of Unix time; None before the first."""
        return self._examined_at

    @property
    def refusal(self) -> str | None:
        """Why no program is run, None while they are or nothing is known."""
        return self._refusal

    async def check(self) -> None:
        """Find out whether programs can be run now, and may be.

        Raises:
            SandboxError: they cannot, or may not.
        """
        await self._sandbox.check()
        await self._admit()

    async def run(self, program: Program, limits: Limits) -> Run:
        """Run one program, after the first examination has been passed.

        Raises:
            SandboxError: no verdict could be had, or none could be trusted.
        """
        if not self._examined or self._refusal is not None:
            await self._admit()
        return await self._sandbox.run(program, limits)

    async def close(self) -> None:
        """Close what it stands before."""
        await self._sandbox.close()

    async def watch(self, every_s: float) -> None:
        """Examine now and then every so many seconds, until cancelled."""
        while True:
            try:
                await self.examine()
            except SandboxError as error:
                consequence = "code is answered with SANDBOX failures, the rest is served"
                logger().warning("no_sandbox", reason=str(error), consequence=consequence)
            await asyncio.sleep(every_s)

    async def examine(self) -> None:
        """Run the canary and act on it.

        Raises:
            SandboxError: it could not be run; what was known before still holds.
        """
        async with self._examining:
            await self._examine()

    async def _admit(self) -> None:
        async with self._examining:
            if not self._examined:
                await self._examine()
        if self._refusal is not None:
            raise SandboxError(self._refusal)

    async def _examine(self) -> None:
        serving = self._examined and self._refusal is None
        try:
            complaint = await self._examination(self._sandbox, 1 if serving else self.slots)
        except SandboxUnavailableError as error:
            raise SandboxError(str(error)) from error
        before, first = self._refusal, not self._examined
        self._examined = True
        self._examined_at = time.time()
        self._refusal = complaint and f"the sandbox failed its self-check: {complaint}"
        if self._refusal is not None:
            consequence = "code is answered with SANDBOX failures until a self-check passes"
            logger().error("sandbox_refused", reason=self._refusal, consequence=consequence)
        elif first:
            logger().info("sandbox_ready", backend=self.name)
        elif before is not None:
            logger().warning("sandbox_trusted_again", backend=self.name, reason_before=before)
