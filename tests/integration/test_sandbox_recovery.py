"""Supervisors are killed, callers leave, programs wait: what every backend makes of it."""

import asyncio
import os
import signal
from collections.abc import Callable

import pytest

from sandbox.api import Limits, Program, Run, RunStatus, Sandbox, SandboxError, Value
from sandbox.opening import open_sandbox
from sandbox.options import BackendChoice, SandboxOptions

SEVEN = Program(source="def f(): return 7", calls=("f()",))
LIMITS = Limits(cpu_seconds=20, wall_seconds=30)

Alive = Callable[[], set[int]]


def busy(seconds: float) -> Program:
    return Program(source=f"import time\ndef f():\n    time.sleep({seconds})\n    return 7", calls=("f()",))


def values(run: Run) -> list[object]:
    return [result.data for result in run.results if isinstance(result, Value)]


def kill(pids: set[int]) -> None:
    assert pids, "nothing to kill"
    for pid in pids:
        os.kill(pid, signal.SIGKILL)


async def until(condition: Callable[[], bool], seconds: float = 20) -> None:
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.05)


async def test_a_program_whose_supervisor_is_killed_runs_again_elsewhere(one_slot: Sandbox, alive: Alive):
    before = alive()
    running = asyncio.create_task(one_slot.run(busy(1), LIMITS))
    await asyncio.sleep(0.3)

    kill(before)
    run = await running

    assert values(run) == [7]
    assert not alive() & before


async def test_a_program_that_takes_down_two_supervisors_has_crashed(one_slot: Sandbox, alive: Alive):
    first = alive()
    running = asyncio.create_task(one_slot.run(busy(30), LIMITS))
    await asyncio.sleep(0.3)
    kill(first)
    await until(lambda: bool(alive() - first))
    await asyncio.sleep(1)
    kill(alive() - first)

    run = await running

    assert (run.status, run.detail) == (RunStatus.CRASHED, "took down two containers")
    assert values(await one_slot.run(SEVEN, LIMITS)) == [7]


async def test_a_supervisor_lost_while_idle_is_replaced_unnoticed(one_slot: Sandbox, alive: Alive):
    kill(alive())
    await asyncio.sleep(0.3)

    await one_slot.check()

    assert values(await one_slot.run(SEVEN, LIMITS)) == [7]


async def test_cancelling_kills_the_program_and_keeps_the_supervisor(one_slot: Sandbox, alive: Alive):
    before = alive()
    running = asyncio.create_task(one_slot.run(Program(source="while True: pass", calls=()), LIMITS))
    await asyncio.sleep(0.3)

    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    async with asyncio.timeout(5):  # the loop would hold the only slot for 20 s
        run = await one_slot.run(SEVEN, LIMITS)

    assert values(run) == [7]
    assert alive() == before


async def test_callers_that_cancel_at_any_moment_lose_no_slot(one_slot: Sandbox):
    for milliseconds in range(0, 30, 2):
        calls = [asyncio.create_task(one_slot.run(SEVEN, LIMITS)) for _ in range(3)]
        await asyncio.sleep(milliseconds / 1000)
        for call in calls:
            call.cancel()
        await asyncio.gather(*calls, return_exceptions=True)

    assert values(await one_slot.run(SEVEN, LIMITS)) == [7]


async def test_waiting_is_in_order_and_counts_against_no_limit(one_slot: Sandbox):
    finished: list[int] = []

    async def run(index: int) -> Run:
        result = await one_slot.run(busy(0.3), Limits(wall_seconds=0.9))
        finished.append(index)
        return result

    runs = await asyncio.gather(*(run(index) for index in range(5)))

    assert [values(result) for result in runs] == [[7]] * 5
    assert finished == [0, 1, 2, 3, 4]


async def test_closing_leaves_no_supervisor_and_fails_what_runs_and_what_comes(
    backend: BackendChoice, alive: Alive
):
    box = await open_sandbox(SandboxOptions(slots=2, backend=backend))
    running = [asyncio.create_task(box.run(busy(30), LIMITS)) for _ in range(3)]
    await asyncio.sleep(0.3)

    await box.close()
    results = await asyncio.gather(*running, return_exceptions=True)

    await until(lambda: not alive())
    assert [type(result) for result in results] == [SandboxError] * 3
    with pytest.raises(SandboxError, match="closed"):
        await box.run(SEVEN, LIMITS)
    with pytest.raises(SandboxError, match="closed"):
        await box.check()
