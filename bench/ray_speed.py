"""`python -m bench.ray_speed`: the same calls to a plain server and through Ray Serve's ingress.

Both grade with one worker and one sandbox slot (bubblewrap, so as root); the two take
turns, and nothing is answered from a cache. Needs `make interop`.
"""

import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

from reward_client.api import BooleanReference, CodeReference, Sample, Score
from reward_client.client import RewardClient
from reward_client.local import LocalServer

ROUNDS = 3
INLINE, PROGRAMS, SINGLES = 8_192, 256, 200
START_S = 120.0
NEVER_SEEN = count()


def main() -> None:
    """Measure both and print the table."""
    with tempfile.TemporaryDirectory() as directory:
        log = Path(directory, "server.log")
        plain = ("--sandbox", "bubblewrap", "--queues.workers", "1", "--queues.programs", "1")
        with (
            LocalServer(log, plain) as server,
            RewardClient(server.address) as one,
            on_ray(Path(directory, "ray.log")) as address,
            RewardClient(address) as other,
        ):
            clients = {"plain server": one, "Ray Serve": other}
            for client in clients.values():
                measure(client)  # warm
            rows: dict[str, list[tuple[float, float, float]]] = {name: [] for name in clients}
            for _ in range(ROUNDS):
                for name, client in clients.items():
                    rows[name].append(measure(client))
    print(f"| best of {ROUNDS} | completions/s, inline | programs/s | one inline sample, p50 ms |")
    print("|---|--:|--:|--:|")
    for name, taken in rows.items():
        inline, programs, single = zip(*taken, strict=True)
        print(f"| {name} | {max(inline):,.0f} | {max(programs):,.0f} | {min(single):.2f} |")


def measure(client: RewardClient) -> tuple[float, float, float]:
    """Return inline completions a second, programs a second, and milliseconds of a single call."""
    inline = rate(client, [boolean() for _ in range(INLINE)])
    programs = rate(client, [program() for _ in range(PROGRAMS)])
    times: list[float] = []
    for _ in range(SINGLES):
        started = time.perf_counter()
        client.score([boolean()])
        times.append(time.perf_counter() - started)
    return inline, programs, statistics.median(times) * 1e3


def rate(client: RewardClient, samples: list[Sample]) -> float:
    started = time.perf_counter()
    outcomes = client.score(samples)
    taken = time.perf_counter() - started
    assert all(isinstance(outcome.result, Score) and outcome.result.value == 1.0 for outcome in outcomes)
    assert not any(outcome.cached for outcome in outcomes)
    return len(samples) / taken


def boolean() -> Sample:
    number = next(NEVER_SEEN)
    completion = f"<reasoning>{number} {'because ' * 60}</reasoning><answer>yes</answer>"
    return Sample(
        sample_id=str(number),
        reward="boolean",
        prompt="",
        completion=completion,
        reference=BooleanReference(value=True),
    )


def program() -> Sample:
    number = next(NEVER_SEEN)
    completion = f"<reasoning>r</reasoning><answer>def f(x):\n    return x + {number}</answer>"
    reference = CodeReference(tests=tuple(f"assert f({n}) == {n + number}" for n in range(3)))
    return Sample(sample_id=str(number), reward="code", prompt="", completion=completion, reference=reference)


@contextmanager
def on_ray(log: Path) -> Iterator[str]:
    """Deploy on a Ray of this machine's own, by the command that a user types; yields HOST:PORT."""
    port, http_port = free_port(), free_port()
    command = [sys.executable, "-m", "reward_server.ray_serve", "--insecure", "--ingress", "HeadOnly"]
    command += ["--port", str(port), "--http-port", str(http_port), "--cluster", "local"]
    command += ["--rewards.most", "1", "--programs.most", "1"]
    command += ["--server.sandbox", "bubblewrap"]
    with log.open("wb") as output, subprocess.Popen(command, stdout=output, stderr=output) as process:
        try:
            deadline = time.monotonic() + START_S
            while "is ready" not in log.read_text(errors="replace"):
                if process.poll() is not None or time.monotonic() > deadline:
                    sys.exit(f"Ray Serve did not start:\n{log.read_text(errors='replace')[-3_000:]}")
                time.sleep(0.2)
            yield f"127.0.0.1:{port}"
        finally:
            process.terminate()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


if __name__ == "__main__":
    main()
