"""A sandbox on other machines: programs go to the deployment `Programs`, whichever replica has room."""
# Ray's handles are untyped, so strict checking would only report Ray.
# pyright: basic

import asyncio
from dataclasses import dataclass
from typing import Any

from ray.exceptions import RayError
from ray.serve.exceptions import RayServeException
from ray.serve.handle import DeploymentHandle

from sandbox.api import Limits, Program, Run, SandboxError, Usage

# A replica that dies with a program costs it nothing: it runs once more on another.
ATTEMPTS = 2
CHECK_S = 5.0


@dataclass(frozen=True, slots=True)
class Fault:
    """No verdict could be had; a value, so that no exception is carried between processes."""

    message: str


class RemoteSandbox:
    """Implements `sandbox.api.Sandbox` on a handle to `Programs`; it owns nothing.

    Ray waits for a replica for as long as there is none; here that ends `patience_s` seconds
    after what the program itself may take.
    """

    def __init__(self, programs: DeploymentHandle, slots: int, patience_s: float) -> None:
        self._programs = programs
        self._slots = slots
        self._patience_s = patience_s
        self._busy = 0
        self._programs_run = 0

    @property
    def name(self) -> str:
        return "ray serve"

    @property
    def slots(self) -> int:
        return self._slots

    @property
    def usage(self) -> Usage:
        """What this replica has sent out; the containers are counted where they are."""
        return Usage(busy=self._busy, programs=self._programs_run)

    async def check(self) -> None:
        """Find out whether some replica can run programs.

        Raises:
            SandboxError: none can now.
        """
        fault = await self._ask(CHECK_S, self._programs.check)
        if fault is not None:
            raise SandboxError(fault.message)

    async def run(self, program: Program, limits: Limits) -> Run:
        """Run one program. Cancelling the call kills it.

        Raises:
            SandboxError: no verdict could be had, after one retry elsewhere.
        """
        patience_s = limits.wall_seconds + limits.cpu_seconds + self._patience_s
        self._busy += 1
        self._programs_run += 1
        try:
            ran = await self._ask(patience_s, self._programs.run, program, limits)
        finally:
            self._busy -= 1
        if isinstance(ran, Fault):
            raise SandboxError(ran.message)
        return ran

    async def close(self) -> None:
        """Do nothing: Ray ends the replicas."""

    async def _ask(self, patience_s: float, method: Any, *arguments: object) -> Any:
        reason = ""
        for _ in range(ATTEMPTS):
            response = method.remote(*arguments)
            try:
                async with asyncio.timeout(patience_s):
                    return await response
            except TimeoutError as error:
                response.cancel()
                raise SandboxError(
                    f"no sandbox answered within {patience_s:g} s: their nodes are away, or too few"
                ) from error
            except asyncio.CancelledError:
                # Ray does not do so by itself, and the program would run on.
                response.cancel()
                raise
            except (RayError, RayServeException) as error:
                reason = f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0]}"
        raise SandboxError(f"{ATTEMPTS} sandboxes were lost with the program; the last: {reason}")
