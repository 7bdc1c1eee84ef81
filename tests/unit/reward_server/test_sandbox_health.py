"""The health service tells when programs cannot be run, and when they can again."""

import asyncio
from contextlib import suppress

from grpc_health.v1 import health_pb2

from reward_server.sandboxes.health import HEALTH_NAME, report
from sandbox.api import Limits, Program, Run, SandboxError

Status = health_pb2.HealthCheckResponse


class Switch:
    """A sandbox that is there or not, as the test decides."""

    name, slots = "switch", 1

    def __init__(self) -> None:
        self.reason: str | None = None

    async def check(self) -> None:
        if self.reason is not None:
            raise SandboxError(self.reason)

    async def run(self, program: Program, limits: Limits) -> Run:
        raise AssertionError("health must not run programs")

    async def close(self) -> None: ...


class Chart:
    """Keeps what was told, and lets the test wait for it."""

    def __init__(self) -> None:
        self.told: asyncio.Queue[tuple[str, int]] = asyncio.Queue()

    async def set(self, service: str, status: int) -> None:
        self.told.put_nowait((service, status))

    async def enter_graceful_shutdown(self) -> None: ...


async def test_health_follows_the_sandbox() -> None:
    sandbox, chart = Switch(), Chart()
    task = asyncio.create_task(report(sandbox, chart, every_s=0.01))
    told: list[tuple[str, int]] = []
    async with asyncio.timeout(10):
        told += [await chart.told.get(), await chart.told.get()]
        sandbox.reason = "the engine is gone"
        told.append(await chart.told.get())
        sandbox.reason = None
        told.append(await chart.told.get())
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task

    statuses = [Status.NOT_SERVING, Status.SERVING, Status.NOT_SERVING, Status.SERVING]
    assert told == [(HEALTH_NAME, status) for status in statuses]
