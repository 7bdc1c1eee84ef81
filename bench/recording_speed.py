"""What recording and the cache on disk cost, measured through the client on one machine.

    python -m bench.recording_speed [--rounds 8] [--samples 10000]

Four servers run side by side: plain, with `--record`, with `--cache-dir`, with both. In each
round each gets the same new completions in one batch, in an order that rotates, so that what
else the machine does falls on all alike. Then the one with both is restarted and gets its last
batch again.
"""

import argparse
import statistics
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from bench.server_speed import cpu_seconds, samples_of
from reward_client.client import RewardClient
from reward_client.local import LocalServer

REWARD = "choice"


def main() -> None:
    parser = argparse.ArgumentParser(description="What recording and the cache on disk cost.")
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--samples", type=int, default=10_000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory, ExitStack() as stack:
        base = Path(directory)
        flags = {
            "plain": (),
            "--record": ("--record", str(base / "r1")),
            "--cache-dir": ("--cache-dir", str(base / "c1")),
            "both": ("--record", str(base / "r2"), "--cache-dir", str(base / "c2")),
        }
        servers = {name: stack.enter_context(LocalServer(base / "log", more)) for name, more in flags.items()}
        clients = {name: stack.enter_context(RewardClient(each.address)) for name, each in servers.items()}
        rates: dict[str, list[float]] = {name: [] for name in flags}
        cpu: dict[str, list[float]] = {name: [] for name in flags}
        names = list(flags)
        for turn in range(options.rounds + 1):
            for name in names[turn % 4 :] + names[: turn % 4]:
                batch = samples_of(REWARD, options.samples, f"round {turn}")
                before, started = cpu_seconds(servers[name].pid), time.perf_counter()
                outcomes = clients[name].score(batch)
                if turn:  # the first warms up
                    rates[name].append(options.samples / (time.perf_counter() - started))
                    used_s = cpu_seconds(servers[name].pid) - before
                    cpu[name].append(used_s / options.samples * 1e6)
                assert not any(outcome.cached for outcome in outcomes)
        for name in names:
            ratios = [rate / plain for rate, plain in zip(rates[name], rates["plain"], strict=True)]
            print(
                f"{name:12} median {statistics.median(rates[name]):8.0f}/s, "
                f"{statistics.median(ratios):.3f} of plain (median of {options.rounds} pairs), "
                f"server CPU {statistics.median(cpu[name]):.1f} us a completion"
            )
        time.sleep(1.0)
        again = servers["both"]
        again.__exit__(None, None, None)
        stored = list((base / "r2").glob("*.parquet"))
        print(f"recorded in {len(stored)} files, {sum(each.stat().st_size for each in stored) >> 10} KiB")
        with LocalServer(base / "log", flags["both"]) as server, RewardClient(server.address) as client:
            started = time.perf_counter()
            outcomes = client.score(samples_of(REWARD, options.samples, f"round {options.rounds}"))
            rate = options.samples / (time.perf_counter() - started)
        known = sum(outcome.cached for outcome in outcomes)
        print(f"after a restart: {known:,} of {options.samples:,} answered from disk, {rate:.0f}/s")


if __name__ == "__main__":
    main()
