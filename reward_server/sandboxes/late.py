"""A sandbox that is still being opened: what needs it waits, serving does not."""

import asyncio
from collections.abc import Awaitable

from sandbox.api import Limits, Program, Run, Sandbox, Usage


class LateSandbox:
    """The sandbox that `opening` returns, usable before it is there."""

    def __init__(self, opening: Awaitable[Sandbox], slots: int) -> None:
        self._slots = slots
        self._opening = asyncio.ensure_future(opening)

    @property
    def name(self) -> str:
        """Which backend this is, or that it is not open yet."""
        return self._opening.result().name if self._opening.done() else "being opened"

    @property
    def slots(self) -> int:
        return self._slots

    @property
    def usage(self) -> Usage:
        return self._opening.result().usage if self._opening.done() else Usage()

    async def check(self) -> None:
        """Find out, after the opening, whether programs can be run.

        Raises:
            SandboxError: they cannot.
        """
        await (await self._opened()).check()

    async def run(self, program: Program, limits: Limits) -> Run:
        """Run one program, after the opening.

        Raises:
            SandboxError: no verdict could be had.
        """
        return await (await self._opened()).run(program, limits)

    async def close(self) -> None:
        """Let the opening end, so that nothing it started is left, and close what it opened."""
        await (await self._opened()).close()

    async def _opened(self) -> Sandbox:
        # Shielded: one caller that leaves must not end the opening that others wait for.
        return await asyncio.shield(self._opening)
