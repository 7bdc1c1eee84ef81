"""Tells the standard health service whether programs can be run, under the name of the reward that needs it.

Health of the server as a whole stays SERVING: the other rewards are served.
"""

import asyncio
from typing import Protocol

from grpc_health.v1 import health_pb2

from reward_server.telemetry import logger
from sandbox.api import Sandbox, SandboxError

HEALTH_NAME = "code"
EVERY_S = 2.0

_Status = health_pb2.HealthCheckResponse


class Doctor(Protocol):
    """The part of grpc_health's servicer that is used here; the package has no types."""

    async def set(self, service: str, status: int) -> None: ...

    async def enter_graceful_shutdown(self) -> None: ...


async def report(sandbox: Sandbox, doctor: Doctor, *, every_s: float = EVERY_S) -> None:
    """Look at the sandbox again and again, until cancelled; log when it is lost and when it is back."""
    await doctor.set(HEALTH_NAME, _Status.NOT_SERVING)
    able: bool | None = None
    while True:
        reason = await _reason(sandbox)
        if able is not (reason is None):
            await doctor.set(HEALTH_NAME, _Status.SERVING if reason is None else _Status.NOT_SERVING)
            if able and reason is not None:
                logger().warning("sandbox_lost", reason=reason, consequence="code is answered with failures")
            elif able is False:
                logger().info("sandbox_back")
            able = reason is None
        await asyncio.sleep(every_s)


async def _reason(sandbox: Sandbox) -> str | None:
    try:
        await sandbox.check()
    except SandboxError as error:
        return str(error)
    return None
