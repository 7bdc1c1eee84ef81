"""How many times as fast as a bare subprocess programs run, on a machine that is not quiet.

    python bench/sandbox_ratios.py [--rounds 6] [--seconds 0.7] [--only NAME ...]

The methods take turns, so that what else the machine does hits all alike: the ratios hold, the
rates do not. `sandbox_speed.py` is for a quiet machine.
"""

import argparse
import asyncio
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from itertools import count
from pathlib import Path

from sandbox_speed import IN_FLIGHT, PYTHON, SOURCE, command, one_program, sample, threaded

from reward_client.api import Score
from reward_client.client import AsyncRewardClient
from reward_client.local import LocalServer
from sandbox.opening import open_sandbox
from sandbox.options import BackendChoice, SandboxOptions

BASE = "bare subprocess"
BATCH = 128

Turn = Callable[[float], Awaitable[int]]  # run for so many seconds; returns how many programs


async def repeat(one: Callable[[], Awaitable[object]], seconds: float) -> int:
    """Keep programs in flight for a while."""
    end, done = time.perf_counter() + seconds, 0

    async def client() -> None:
        nonlocal done
        while time.perf_counter() < end:
            await one()
            done += 1

    await asyncio.gather(*(client() for _ in range(IN_FLIGHT)))
    return done


async def sandbox_turn(stack: AsyncExitStack, backend: BackendChoice) -> Turn:
    sandbox = await open_sandbox(SandboxOptions(backend=backend))
    stack.push_async_callback(sandbox.close)
    await sandbox.check()
    return lambda seconds: repeat(lambda: one_program(sandbox), seconds)


async def server_turns(stack: AsyncExitStack) -> dict[str, Turn]:
    log = Path(stack.enter_context(tempfile.TemporaryDirectory())) / "log"
    server = stack.enter_context(LocalServer(log))
    client = await stack.enter_async_context(AsyncRewardClient(server.address))
    numbers = count()

    async def call(programs: int) -> None:
        outcomes = await client.score([sample(next(numbers), SOURCE) for _ in range(programs)])
        assert all(isinstance(each.result, Score) and each.result.value > 0 for each in outcomes), outcomes[0]

    async def batches(seconds: float) -> int:
        end, done = time.perf_counter() + seconds, 0
        while time.perf_counter() < end:
            await call(BATCH)
            done += BATCH
        return done

    await call(1)
    return {"gRPC, one call": batches, "gRPC, one a call": lambda seconds: repeat(lambda: call(1), seconds)}


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--seconds", type=float, default=0.7, help="of one turn")
    parser.add_argument("--only", nargs="*", help="docker, bubblewrap, server")
    arguments = parser.parse_args()
    wanted = set(arguments.only or ("docker", "bubblewrap", "server"))
    async with AsyncExitStack() as stack:
        bare = await stack.enter_async_context(
            threaded(command(f"{sys.base_prefix}/bin/python3", *PYTHON[1:]))
        )
        turns: dict[str, Turn] = {BASE: lambda seconds: repeat(bare, seconds)}
        for backend in (BackendChoice.DOCKER, BackendChoice.BUBBLEWRAP):
            if backend.value in wanted:
                turns[backend.value] = await sandbox_turn(stack, backend)
        if "server" in wanted:
            turns |= await server_turns(stack)
        programs, seconds = dict.fromkeys(turns, 0), dict.fromkeys(turns, 0.0)
        for _ in range(arguments.rounds):
            for name, turn in turns.items():
                started = time.perf_counter()
                programs[name] += await turn(arguments.seconds)
                seconds[name] += time.perf_counter() - started
    base = programs[BASE] / seconds[BASE]
    for name, done in programs.items():
        rate = done / seconds[name]
        print(f"{name:<18}{rate:8.1f}/s {rate / base:6.2f} times {BASE}")


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
