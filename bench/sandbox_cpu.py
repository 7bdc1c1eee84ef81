"""What CPU time a program costs, and whom: holds on a busy machine, where rates do not.

    python bench/sandbox_cpu.py [--programs 1500]

The same program as in `sandbox_speed.py`, eight in flight: one program a call through gRPC, all in
one call, and straight to the sandbox in docker. Needs a Docker Engine on this machine.
"""

import argparse
import asyncio
import os
import tempfile
from collections import defaultdict
from collections.abc import Awaitable, Callable
from itertools import count
from pathlib import Path

from memory import is_shim, processes
from sandbox_speed import IN_FLIGHT, SOURCE, one_program, sample

from reward_client.api import Score
from reward_client.client import AsyncRewardClient
from reward_client.local import LocalServer
from sandbox.opening import open_sandbox
from sandbox.options import BackendChoice, SandboxOptions

TICKS = os.sysconf("SC_CLK_TCK")


def spent() -> dict[str, float]:
    """Return the CPU seconds of all processes that take part, by their part."""
    total: dict[str, float] = defaultdict(float)
    for pid in processes():
        try:
            command = Path(f"/proc/{pid}/cmdline").read_text(errors="replace").replace("\0", " ")
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
        except OSError:  # it has ended
            continue
        own, reaped = (sum(map(int, fields[first : first + 2])) / TICKS for first in (11, 13))
        if part := _part(pid, command):
            total[part] += own
        if part == "supervisors":
            total["programs"] += reaped
    return total


def _part(pid: int, command: str) -> str:
    if pid == os.getpid():
        return "client"
    if is_shim(pid):
        return "shims"
    parts = {"-m reward_server": "server", "/opt/assay": "supervisors", "dockerd": "engine"}
    return next((part for sign, part in parts.items() if sign in command), "")


async def report(name: str, programs: int, work: Awaitable[object]) -> None:
    """Do the work, and print the milliseconds that each part spent on one program."""
    before = spent()
    await work
    each = {part: (seconds - before.get(part, 0.0)) / programs * 1e3 for part, seconds in spent().items()}
    words = [f"{part} {ms:.2f}" for part, ms in each.items() if ms >= 0.005]
    print(f"{name:16} {sum(each.values()):5.2f} ms: {', '.join(words)}")


async def repeat(one: Callable[[], Awaitable[object]], programs: int) -> None:
    """Keep programs in flight until so many have run."""
    left = iter(range(programs))

    async def client() -> None:
        for _ in left:
            await one()

    await asyncio.gather(*(client() for _ in range(IN_FLIGHT)))


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--programs", type=int, default=1500)
    programs: int = parser.parse_args().programs
    numbers = count()
    with tempfile.TemporaryDirectory() as directory, LocalServer(Path(directory) / "log") as server:
        async with AsyncRewardClient(server.address) as client:

            async def call(size: int) -> None:
                outcomes = await client.score([sample(next(numbers), SOURCE) for _ in range(size)])
                assert all(isinstance(each.result, Score) and each.result.value > 0 for each in outcomes)

            await call(IN_FLIGHT)
            await report("gRPC, one a call", programs, repeat(lambda: call(1), programs))
            await report("gRPC, one call", programs, call(programs))
    sandbox = await open_sandbox(SandboxOptions(backend=BackendChoice.DOCKER))
    await sandbox.check()
    await report("docker", programs, repeat(lambda: one_program(sandbox), programs))
    await sandbox.close()


if __name__ == "__main__":
    asyncio.run(main())
