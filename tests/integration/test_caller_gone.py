"""Whoever leaves takes his work along, down to the process: workers and programs, calls and streams."""

import asyncio
import os
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import grpc
import pytest
from reward.v1 import reward_pb2 as pb

from bench.memory import descendants
from reward_server.api import CostClass, Grade, Sample
from reward_server.workers import WorkerPool
from sandbox.api import Limits, Program, Sandbox
from sandbox.opening import open_sandbox
from sandbox.options import BackendChoice, SandboxOptions
from tests.fake_rewards import RIGHT, info
from tests.integration.supervisors import supervisors
from tests.served import Served, sample, served

TASKS = {"spin": "tests.unit.workers.sample_tasks:spin"}
LONG = Limits(cpu_seconds=120, wall_seconds=600)
SPUN_S = 0.3  # only what spins has used so much CPU
LATEST_S = 10.0  # on a busy machine; an idle one needs milliseconds


class Spinning:
    """Grades by something that uses CPU for two minutes."""

    def __init__(self, cost_class: CostClass, spin: Callable[[], Awaitable[object]]) -> None:
        self.info = info("spinning", cost_class)
        self._spin = spin

    async def grade(self, sample: Sample, answer: str) -> Grade:
        await self._spin()
        return RIGHT


@asynccontextmanager
async def spinning_worker() -> AsyncGenerator[tuple[Spinning, Callable[[], set[int]]]]:
    async with WorkerPool(TASKS) as workers:
        await workers.start(1)
        reward = Spinning(CostClass.WORKER, lambda: workers.run("spin", None, cpu_seconds=120.0))
        yield reward, lambda: descendants({os.getpid()})


@asynccontextmanager
async def spinning_program(
    backend: BackendChoice,
) -> AsyncGenerator[tuple[Spinning, Callable[[], set[int]]]]:
    sandbox: Sandbox = await open_sandbox(SandboxOptions(slots=1, backend=backend))
    try:
        program = Program(source="while True: pass", calls=())
        reward = Spinning(CostClass.SANDBOX, lambda: sandbox.run(program, LONG))
        yield reward, lambda: descendants({os.getpid(), *supervisors(backend)})
    finally:
        await sandbox.close()


async def unary(server: Served) -> None:
    await server.score(sample(reward="spinning"), timeout=600)


async def stream(server: Served) -> None:
    call = server.stream()
    await call.write(sample(reward="spinning"))
    await call.read()


async def broken_connection(server: Served) -> None:
    async with grpc.aio.insecure_channel(server.address) as channel:
        rpc = channel.unary_unary("/reward.v1.RewardService/Score")
        await rpc(pb.ScoreRequest(samples=[sample(reward="spinning")]).SerializeToString(), timeout=600)


def cpu_seconds(pid: int) -> float:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def spinner(below: Callable[[], set[int]], before: set[int]) -> int:
    """Wait for a process that was not there, or was idle, and find the one that spins."""
    used = {pid: cpu_seconds(pid) for pid in before}
    async with asyncio.timeout(60):
        while True:
            for pid in below():
                if cpu_seconds(pid) - used.get(pid, 0.0) > SPUN_S:
                    return pid
            await asyncio.sleep(0.05)


async def leave_in_the_middle(
    reward: Spinning, below: Callable[[], set[int]], call: Callable[[Served], Awaitable[None]]
) -> None:
    async with served(reward) as server:
        before = below()
        calling = asyncio.ensure_future(call(server))
        pid = await spinner(below, before)
        calling.cancel()
        await asyncio.wait([calling])
        async with asyncio.timeout(LATEST_S):
            while Path(f"/proc/{pid}").exists():
                await asyncio.sleep(0.02)


@pytest.mark.parametrize("call", [unary, stream, broken_connection])
async def test_the_worker_of_a_caller_that_left_is_killed(
    call: Callable[[Served], Awaitable[None]],
) -> None:
    async with spinning_worker() as (reward, below):
        await leave_in_the_middle(reward, below, call)


@pytest.mark.parametrize("call", [unary, stream, broken_connection])
async def test_the_program_of_a_caller_that_left_is_killed(
    call: Callable[[Served], Awaitable[None]], backend: BackendChoice
) -> None:
    async with spinning_program(backend) as (reward, below):
        await leave_in_the_middle(reward, below, call)
