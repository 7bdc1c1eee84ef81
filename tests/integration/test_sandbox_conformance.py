"""What every backend owes its callers: how programs end, from a table of programs, and what calls see."""

import asyncio
import dataclasses
import json
import signal
from pathlib import Path
from typing import Any

import pytest

from sandbox.api import Limits, Program, Raised, RunStatus, Sandbox, Unserializable, Value
from sandbox.opening import open_sandbox
from sandbox.options import SandboxOptions

CASES = Path(__file__).resolve().parents[1] / "cases" / "sandbox_programs.jsonl"
PROGRAMS = [json.loads(line) for line in CASES.read_text(encoding="utf-8").splitlines()]
LIMITS = Limits(cpu_seconds=0.3, wall_seconds=30.0, memory_bytes=256 * 1024 * 1024, result_bytes=64 * 1024)
GVISOR_SLOWDOWN = 4  # of programs that touch much memory; on a machine that is busy, too

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.mark.parametrize("case", PROGRAMS, ids=lambda case: case["why"])
async def test_a_program_ends_as_the_table_says_and_the_next_one_is_unharmed(
    sandbox: Sandbox, options: SandboxOptions, case: dict[str, Any]
):
    program = Program(
        source=case["source"], calls=tuple(case.get("calls", ["f()"])), setup=case.get("setup", "")
    )

    limits = dataclasses.replace(
        LIMITS,
        cpu_seconds=case.get("cpu_seconds", LIMITS.cpu_seconds) * (GVISOR_SLOWDOWN if options.runtime else 1),
        wall_seconds=case.get("wall_seconds", LIMITS.wall_seconds),
    )

    run = await sandbox.run(program, limits)
    after = await sandbox.run(Program(source="def f(): return 7", calls=("f()",)), LIMITS)

    assert run.status is RunStatus(case["status"]), run
    assert case.get("detail", "") in run.detail
    assert [_plain(result) for result in run.results] == case.get("results", [])
    assert after.results == (Value(7),)


def _plain(result: Value | Raised | Unserializable) -> object:
    match result:
        case Value(data):
            return data
        case Raised(type_name, _):
            return f"raised {type_name}"
        case Unserializable(type_name):
            return f"not plain: {type_name}"


async def test_each_call_gets_fresh_arguments_and_its_own_result(sandbox: Sandbox):
    source = "def f(items):\n    items.append(len(items))\n    return items"
    calls = ("f([])", "f([5])", "f([])", "f([1, 2])")

    run = await sandbox.run(Program(source=source, calls=calls), LIMITS)

    assert run.results == (Value([0]), Value([5, 1]), Value([0]), Value([1, 2, 2]))


async def test_neighbouring_lone_surrogates_do_not_join(sandbox: Sandbox):
    program = Program(source="def f(): return chr(0xD800) + chr(0xDFFF)", calls=("f()",))

    assert (await sandbox.run(program, LIMITS)).results == (Value("\ud800\udfff"),)


async def test_the_order_of_calls_cannot_be_predicted(sandbox: Sandbox):
    source = "seen = []\ndef f(i):\n    seen.append(i)\n    return list(seen)"
    program = Program(source=source, calls=tuple(f"f({index})" for index in range(20)))

    orders = set()
    for _ in range(3):
        run = await sandbox.run(program, LIMITS)
        longest = max((result.data for result in run.results if isinstance(result, Value)), key=len)
        orders.add(tuple(longest))

    assert len(orders) == 3


async def test_imports_and_setup_are_loaded_after_the_program(sandbox: Sandbox):
    program = Program(
        source="class Pair:\n    def __init__(self, a): self.a = a\ndef f(pair): return pair.a",
        imports=("import math",),
        setup="pair = Pair(math.floor(2.5))",
        calls=("f(pair)",),
    )

    assert (await sandbox.run(program, LIMITS)).results == (Value(2),)


async def test_equal_programs_see_equal_hashes_random_numbers_and_environment(sandbox: Sandbox):
    source = (
        "import os, random, time\n"
        "def f(): return [list({'a', 'b', 'c', 'd'}), random.random(), dict(os.environ), time.tzname]"
    )
    program = Program(source=source, calls=("f()",))

    runs = await asyncio.gather(*(sandbox.run(program, LIMITS) for _ in range(6)))

    assert len({repr(run.results) for run in runs}) == 1
    assert runs[0].results[0].data[2:] == [{}, ("UTC", "UTC")]


async def test_programs_find_the_usual_signals_however_the_server_was_started(options: SandboxOptions):
    """Started in the background by a script it ignores interrupts, by `nohup` hangups; some block signals."""
    program = Program(
        source="import signal\ndef f(): return [[int(n), str(signal.getsignal(n))] for n in range(1, 32)]\n"
        "def g(): return [int(n) for n in signal.pthread_sigmask(signal.SIG_BLOCK, ())]",
        calls=("f()", "g()"),
    )
    found: list[object] = []
    inherited = {
        number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGHUP, signal.SIGUSR1)
    }
    for unusual in (False, True):
        if unusual:
            for number in inherited:
                signal.signal(number, signal.SIG_IGN)
            signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR2})
        try:
            box = await open_sandbox(options)
        finally:
            for number, handler in inherited.items():
                signal.signal(number, handler)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGUSR2})
        try:
            run = await box.run(program, LIMITS)
        finally:
            await box.close()
        found.append([result.data for result in run.results if isinstance(result, Value)])

    assert found[0] == found[1]
    assert isinstance(found[0], list)
    handlers, blocked = found[0]
    assert "default_int_handler" in dict(handlers)[signal.SIGINT]
    assert blocked == []


async def test_the_host_chooses_the_hash_seed_and_containers_agree_on_it(options: SandboxOptions):
    program = Program(source="def f(): return [hash('a'), list({'a', 'b', 'c', 'd'})]", calls=("f()",))
    orders: set[str] = set()
    for seed in (0, 1):
        box = await open_sandbox(dataclasses.replace(options, hash_seed=seed))
        try:
            runs = await asyncio.gather(*(box.run(program, LIMITS) for _ in range(6)))
        finally:
            await box.close()
        assert len({repr(run.results) for run in runs}) == 1
        orders.add(repr(runs[0].results))

    assert len(orders) == 2


@pytest.mark.parametrize("seed", [-1, 2**32])
async def test_a_hash_seed_that_python_would_refuse_is_refused(seed: int):
    with pytest.raises(ValueError, match="hash_seed must be from 0"):
        SandboxOptions(hash_seed=seed)


async def test_a_burst_of_busy_programs_has_no_false_timeouts(sandbox: Sandbox):
    source = "def f():\n    n = 0\n    for i in range(1_000_000): n += i\n    return n"
    program = Program(source=source, calls=("f()",))

    runs = await asyncio.gather(
        *(sandbox.run(program, Limits(cpu_seconds=5, wall_seconds=60)) for _ in range(24))
    )

    assert {run.results for run in runs} == {(Value(499999500000),)}


async def test_a_program_that_computes_meets_its_cpu_limit_and_no_wall_limit(sandbox: Sandbox):
    source = """
import time
def f():
    while time.process_time() < 0.4: pass
    return 7
def g():
    while True: pass
"""
    limits = Limits(cpu_seconds=1.0, wall_seconds=0.05)

    done = await sandbox.run(Program(source=source, calls=("f()",)), limits)
    endless = await sandbox.run(Program(source=source, calls=("g()",)), limits)

    assert done.results == (Value(7),)
    assert endless.status is RunStatus.CPU_LIMIT


async def test_a_program_that_is_awake_whenever_it_is_looked_at_meets_its_wall_limit(
    sandbox: Sandbox, options: SandboxOptions
):
    source = """
import time
def looks():
    for line in open('/proc/1/status'):
        if line.startswith('voluntary_ctxt_switches'): return line
def f():
    while True:
        before = looks()
        while looks() == before: pass
        time.sleep(0.005)
"""
    limits = Limits(cpu_seconds=3.0, wall_seconds=0.5)

    run = await sandbox.run(Program(source=source, calls=("f()",)), limits)

    # gVisor shows no such counter, so that the program is as good as one that computes.
    assert run.status is (RunStatus.CPU_LIMIT if options.runtime else RunStatus.WALL_LIMIT)


async def test_source_over_the_size_limit_is_the_programs_fault(sandbox: Sandbox):
    run = await sandbox.run(Program(source="#" * 300_000, calls=()), LIMITS)

    assert run.status is RunStatus.LOAD_ERROR


@pytest.mark.parametrize(
    "limits",
    [
        Limits(cpu_seconds=0),
        Limits(cpu_seconds=float("nan")),
        Limits(wall_seconds=-1),
        Limits(wall_seconds=float("inf")),
        Limits(result_bytes=0),
        Limits(result_bytes=2**33),
        Limits(memory_bytes=1024),
    ],
)
async def test_impossible_limits_are_the_callers_fault(sandbox: Sandbox, limits: Limits):
    with pytest.raises(ValueError, match="must be"):
        await sandbox.run(Program(source="", calls=()), limits)
