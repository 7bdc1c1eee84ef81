"""The strongest backend that passes its self-check; none, and nothing runs.

Backends are tried in order when the sandbox is opened, and again, at intervals, while
none has passed. The one that passed stays for good: a sandbox never changes to a weaker
one behind its caller's back.
"""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Sequence

from sandbox.api import Limits, Program, Run, Sandbox, SandboxError, Usage
from sandbox.selfcheck import require_fit

FIRST_RETRY_SECONDS = 0.25
LAST_RETRY_SECONDS = 8.0

Open = Callable[[], Awaitable[Sandbox]]

logger = logging.getLogger(__name__)


class ChosenSandbox:
    """Runs programs on the first of several backends that is fit. Implements `sandbox.api.Sandbox`."""

    def __init__(self, candidates: Sequence[Open], slots: int) -> None:
        """Take candidates, the strongest first."""
        self._candidates = candidates
        self._slots = slots
        self._chosen: Sandbox | None = None
        self._attempt: asyncio.Task[None] | None = None
        self._reason = ""
        self._retry_at = 0.0
        self._retry_seconds = FIRST_RETRY_SECONDS
        self._closed = False

    @property
    def name(self) -> str:
        return "none" if self._chosen is None else self._chosen.name

    @property
    def slots(self) -> int:
        return self._slots

    @property
    def usage(self) -> Usage:
        return Usage() if self._chosen is None else self._chosen.usage

    async def settle(self) -> None:
        """Choose now if possible; otherwise leave it to the first who needs it."""
        with contextlib.suppress(SandboxError):
            await self._choose()

    async def check(self) -> None:
        """Find out whether programs can be run now; see `sandbox.api.Sandbox.check`."""
        await (await self._choose()).check()

    async def run(self, program: Program, limits: Limits) -> Run:
        """Run one program; see `sandbox.api.Sandbox.run`."""
        return await (self._chosen or await self._choose()).run(program, limits)

    async def close(self) -> None:
        """Kill what runs and remove every container; later runs raise SandboxError."""
        self._closed = True
        if self._attempt is not None:
            await asyncio.gather(self._attempt, return_exceptions=True)
        if self._chosen is not None:
            await self._chosen.close()

    async def _choose(self) -> Sandbox:
        """Return the chosen backend, choosing one if there is none.

        Raises:
            SandboxError: none is fit; it may have been known without a new attempt.
        """
        if self._chosen is not None:
            return self._chosen
        if self._closed:
            raise SandboxError("the sandbox is closed")
        if self._attempt is None and asyncio.get_running_loop().time() >= self._retry_at:
            self._attempt = asyncio.create_task(self._try())
        if self._attempt is not None:
            await asyncio.shield(self._attempt)  # others wait for it, too: one who leaves must not end it
        if self._chosen is None:
            raise SandboxError(self._reason)
        return self._chosen

    async def _try(self) -> None:
        try:
            self._chosen, self._reason = await self._first_fit()
        finally:
            self._retry_at = asyncio.get_running_loop().time() + self._retry_seconds
            self._retry_seconds = min(2 * self._retry_seconds, LAST_RETRY_SECONDS)
            self._attempt = None

    async def _first_fit(self) -> tuple[Sandbox | None, str]:
        reasons: list[str] = []
        for candidate in self._candidates:
            sandbox = await candidate()
            try:
                await sandbox.check()
                await require_fit(sandbox)
            except SandboxError as error:
                reasons.append(str(error))
                await sandbox.close()
            else:
                logger.info("programs run in %s", "; ".join([sandbox.name, *reasons]))
                return sandbox, ""
        return None, "; ".join(reasons)
