"""The pool with real children: budgets, deaths, order, cancellation, leaks."""

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from reward_server.errors import GraderLostError, GraderTimeoutError
from reward_server.workers import Limit, WorkerBudgetError, WorkerPool, WorkerTaskError
from reward_server.workers.frames import MAX_FRAME_BYTES, FrameError
from tests.unit.workers.pools import TASKS, processes_below_this_one


def open_files() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


async def test_a_task_returns_its_json(pool: WorkerPool) -> None:
    payload = {"text": "½ of 1\n2", "numbers": [1, 2.5, None, True]}

    assert await pool.run("echo", payload, cpu_seconds=1) == payload


async def test_workers_are_reused(pool: WorkerPool) -> None:
    pids = {await pool.run("pid", None, cpu_seconds=1) for _ in range(20)}

    assert len(pids) <= 2  # the worker and its spare


@pytest.mark.parametrize("task", ["spin", "spin_in_c"])
async def test_a_task_over_its_cpu_budget_is_killed_and_the_pool_lives_on(
    pool: WorkerPool, task: str
) -> None:
    with pytest.raises(WorkerBudgetError) as caught:
        await pool.run(task, None, cpu_seconds=0.2)

    assert caught.value.limit is Limit.CPU
    assert isinstance(caught.value, GraderTimeoutError)  # a failure, unless a reward knows better
    assert await pool.run("echo", 1, cpu_seconds=1) == 1


async def test_sleeping_is_not_using_cpu(pool: WorkerPool) -> None:
    assert await pool.run("sleep", 0.5, cpu_seconds=0.1) == "slept"


async def test_a_task_that_neither_works_nor_ends_is_our_loss_and_not_a_budget(pool: WorkerPool) -> None:
    with pytest.raises(GraderLostError):
        await pool.run("sleep", 60, cpu_seconds=0.02)


async def test_a_task_over_its_memory_is_told_apart(pool: WorkerPool) -> None:
    with pytest.raises(WorkerBudgetError) as caught:
        await pool.run("fill_memory", None, cpu_seconds=5)

    assert caught.value.limit is Limit.MEMORY


async def test_an_exception_of_a_task_is_reported_and_its_worker_lives_on(pool: WorkerPool) -> None:
    with pytest.raises(WorkerTaskError, match="ValueError: no such thing") as caught:
        await pool.run("fail", "no such thing", cpu_seconds=1)

    assert caught.value.type_name == "ValueError"
    assert await pool.run("echo", 1, cpu_seconds=1) == 1


async def test_a_worker_that_dies_is_retried_once_on_another(pool: WorkerPool, tmp_path: Path) -> None:
    marker = tmp_path / "alive"
    marker.mkdir()

    assert await pool.run("die_once", str(marker), cpu_seconds=1) == "second worker"


async def test_a_task_that_kills_every_worker_is_a_loss_and_the_pool_lives_on(pool: WorkerPool) -> None:
    with pytest.raises(GraderLostError, match="died"):
        await pool.run("die", None, cpu_seconds=1)

    assert await pool.run("echo", 1, cpu_seconds=1) == 1


async def test_time_in_the_queue_counts_against_nobody(pool: WorkerPool) -> None:
    calls = [pool.run("sleep", 0.3, cpu_seconds=0.1) for _ in range(4)]

    # Each may take 1 s of wall time; the last waits about that long before it starts.
    assert await asyncio.gather(*calls) == ["slept"] * 4


async def test_callers_are_served_in_order_of_arrival(pool: WorkerPool) -> None:
    served: list[int] = []

    async def call(number: int) -> None:
        served.append(await pool.run("echo", number, cpu_seconds=1))

    await asyncio.gather(*(call(number) for number in range(10)))

    assert served == list(range(10))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_a_signal_to_the_servers_whole_group_leaves_the_workers_at_work(
    pool: WorkerPool, number: signal.Signals
) -> None:
    """Ctrl-C at a terminal, and a service manager's SIGTERM, reach all processes; the server drains."""
    before = processes_below_this_one()
    running = asyncio.create_task(pool.run("sleep", 0.5, cpu_seconds=1))
    await asyncio.sleep(0.2)
    for pid in before:
        os.kill(pid, number)

    assert await running == "slept"
    assert processes_below_this_one() == before


async def test_cancelling_a_call_kills_its_worker(pool: WorkerPool) -> None:
    victim = await pool.run("pid", None, cpu_seconds=1)
    spare = await pool.run("pid", None, cpu_seconds=1)
    call = asyncio.create_task(pool.run("spin", None, cpu_seconds=100))
    await asyncio.sleep(0.2)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert await pool.run("echo", 1, cpu_seconds=1) == 1
    survivors = {await pool.run("pid", None, cpu_seconds=1) for _ in range(4)}

    assert len({victim, spare} - survivors) == 1


async def test_cancelling_a_waiting_call_disturbs_nobody(pool: WorkerPool) -> None:
    working = asyncio.create_task(pool.run("sleep", 0.3, cpu_seconds=0.5))
    waiting = asyncio.create_task(pool.run("echo", 1, cpu_seconds=1))
    await asyncio.sleep(0.05)
    waiting.cancel()

    assert await working == "slept"
    assert await pool.run("echo", 2, cpu_seconds=1) == 2


async def test_printing_does_not_break_the_protocol(pool: WorkerPool) -> None:
    assert await pool.run("shout", None, cpu_seconds=1) == "quiet"


async def test_a_worker_cannot_write_files(pool: WorkerPool, tmp_path: Path) -> None:
    with pytest.raises(WorkerTaskError, match="File too large"):
        await pool.run("write_file", str(tmp_path / "file"), cpu_seconds=1)


async def test_a_worker_may_not_start_processes(pool: WorkerPool) -> None:
    # The limit itself is checked: the kernel does not count the processes of root.
    assert await pool.run("process_limit", None, cpu_seconds=1) == [0, 0]


async def test_a_worker_sees_nothing_of_our_environment(
    pool: WorkerPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ASSAY_TOKEN", "secret")
    async with WorkerPool(TASKS) as workers:
        await workers.start(1)
        names = await workers.run("environment", None, cpu_seconds=1)

    assert set(names) <= {"PYTHONPATH", "LC_ALL", "LC_CTYPE"}


async def test_a_payload_over_the_frame_limit_is_refused_before_it_is_sent(pool: WorkerPool) -> None:
    with pytest.raises(FrameError, match="over the limit"):
        await pool.run("echo", "x" * (MAX_FRAME_BYTES + 1), cpu_seconds=1)


async def test_a_result_over_the_frame_limit_costs_the_worker_and_not_the_parent(pool: WorkerPool) -> None:
    with pytest.raises(GraderLostError):
        await pool.run("too_much", None, cpu_seconds=1)


async def test_a_worker_that_breaks_the_protocol_is_killed_and_replaced(pool: WorkerPool) -> None:
    before = processes_below_this_one()
    with pytest.raises(GraderLostError, match="broke the protocol: frame of 4294967295 bytes"):
        await pool.run("garble", None, cpu_seconds=1)

    assert await pool.run("echo", "alive", cpu_seconds=1) == "alive"
    async with asyncio.timeout(10.0):
        while len(now := processes_below_this_one()) != len(before):
            await asyncio.sleep(0.05)
    assert len(now - before) == 2


async def test_an_unknown_task_is_named_with_those_known(pool: WorkerPool) -> None:
    with pytest.raises(KeyError, match=r"no task 'nope'; known: .*'echo'"):
        await pool.run("nope", None, cpu_seconds=1)


async def test_a_task_that_cannot_be_imported_fails_at_start_with_its_reason() -> None:
    async with WorkerPool({"bad": "no.such.module:function"}) as workers:
        with pytest.raises(GraderLostError, match="No module named"):
            await workers.start(2)


async def test_a_task_may_be_asked_for_before_the_workers_are_warm() -> None:
    async with WorkerPool(TASKS) as workers:
        workers.start(1)

        assert await workers.run("echo", 1, cpu_seconds=1) == 1


async def test_one_caller_that_leaves_does_not_end_the_start_that_others_wait_for() -> None:
    async with WorkerPool(TASKS) as workers:
        workers.start(1)
        leaving = asyncio.create_task(workers.ready())
        await asyncio.sleep(0.01)
        leaving.cancel()

        assert await workers.run("echo", 1, cpu_seconds=1) == 1


async def test_closing_a_pool_that_is_being_started_ends_those_who_wait_for_it() -> None:
    workers = WorkerPool(TASKS)
    workers.start(1)
    waiting = asyncio.create_task(workers.run("echo", 1, cpu_seconds=1))
    await asyncio.sleep(0.01)
    await workers.close()

    with pytest.raises(GraderLostError, match="closed"):
        await waiting


async def test_all_workers_are_forked_from_one_process(pool: WorkerPool) -> None:
    parents = {await pool.run("parent", None, cpu_seconds=1) for _ in range(4)}

    assert len(parents) == 1
    assert parents != {os.getpid()}


async def test_a_lost_zygote_takes_its_workers_along_and_is_replaced(pool: WorkerPool) -> None:
    before = await pool.run("parent", None, cpu_seconds=1)
    os.kill(before, signal.SIGKILL)
    await asyncio.sleep(0.1)

    assert await pool.run("echo", 1, cpu_seconds=1) == 1
    assert await pool.run("parent", None, cpu_seconds=1) != before


async def test_a_pool_that_was_not_started_refuses_instead_of_waiting_for_ever() -> None:
    with pytest.raises(GraderLostError, match="not started"):
        await WorkerPool(TASKS).run("echo", 1, cpu_seconds=1)


async def test_closing_ends_calls_in_progress_and_waiting_ones() -> None:
    workers = WorkerPool(TASKS)
    await workers.start(1)
    calls = [asyncio.create_task(workers.run("spin", None, cpu_seconds=100)) for _ in range(3)]
    await asyncio.sleep(0.1)
    await workers.close()
    results = await asyncio.gather(*calls, return_exceptions=True)

    assert [type(result) for result in results] == [GraderLostError] * 3


async def test_nothing_is_left_after_kills_cancellations_and_close() -> None:
    await asyncio.create_subprocess_exec("true")  # the loop's own watcher is not a leak
    processes, files = processes_below_this_one(), open_files()
    async with WorkerPool(TASKS) as workers:
        await workers.start(2)
        for _ in range(3):
            with pytest.raises(WorkerBudgetError):
                await workers.run("spin", None, cpu_seconds=0.05)
        call = asyncio.create_task(workers.run("spin", None, cpu_seconds=100))
        await asyncio.sleep(0.1)
        call.cancel()
    await asyncio.sleep(0.05)

    assert processes_below_this_one() <= processes
    assert open_files() <= files


def test_importing_the_pool_does_not_import_computer_algebra() -> None:
    check = "import sys, reward_server.workers; sys.exit('sympy' in sys.modules or 'mpmath' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", check], check=False).returncode == 0
