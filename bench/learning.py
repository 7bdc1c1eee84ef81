"""Does the tiny configuration learn? Runs the real command once a seed and prints what it measured.

    python bench/learning.py --seeds 0 1 2

Each run is `python -m trainer --config tiny --fresh --seed S` with its own reward server, from
the warm start to the last evaluation. Rewards are of prompts of the test split, which neither
the warm start nor GRPO has seen; p is the one-sided paired test over those prompts.
"""

import argparse
import subprocess
import sys
import time
from pathlib import Path

from trainer.run_files.records import Summary, read_steps, summary_from_json


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--runs", type=Path, default=Path("runs/learning"), help="directory of the runs")
    parser.add_argument("arguments", nargs="*", help="passed on to the trainer, after --")
    options = parser.parse_args()
    stamp = time.strftime("%Y%m%d-%H%M%S")
    summaries: list[tuple[Summary, float]] = []
    for seed in options.seeds:
        run = options.runs / f"{stamp}-s{seed}"
        began = time.monotonic()
        command = (
            sys.executable,
            "-m",
            "trainer",
            "--config",
            "tiny",
            "--seed",
            str(seed),
            "--run-dir",
            str(run),
        )
        subprocess.run((*command, *options.arguments), check=True)
        summary = summary_from_json((run / "summary.json").read_text())
        summaries.append((summary, time.monotonic() - began))
        _curve(run)
    _print(summaries)
    return 0 if all(summary.p_value < 0.01 for summary, _ in summaries) else 1


def _curve(run: Path) -> None:
    records = read_steps(run / "metrics.jsonl")
    size = max(1, len(records) // 10)
    tenths = [records[start : start + size] for start in range(0, size * 10, size)]
    means = [sum(record.reward for record in part) / len(part) for part in tenths if part]
    print("training reward by tenths:", " ".join(f"{mean:.3f}" for mean in means))


def _print(summaries: list[tuple[Summary, float]]) -> None:
    print("\nheld-out prompts, before -> after (sampled at temperature 1, then greedy)")
    domains = list(summaries[0][0].before)
    print(f"{'':10}" + "".join(f"{f'seed {summary.seed}':>32}" for summary, _ in summaries))
    for domain in domains:
        print(f"{domain:10}" + "".join(_cell(summary, domain) for summary, _ in summaries))
    for label, value in (
        ("p", lambda s, _: f"{s.p_value:.2g}"),
        ("training", lambda s, _: f"{s.reward_first_tenth:.3f} -> {s.reward_last_tenth:.3f}"),
        ("seconds", lambda _, seconds: f"{seconds:.0f}"),
    ):
        print(f"{label:10}" + "".join(f"{value(summary, seconds):>32}" for summary, seconds in summaries))


def _cell(summary: Summary, domain: str) -> str:
    before, after = summary.before.get(domain), summary.after.get(domain)
    if before is None or after is None:
        return f"{'-':>32}"
    sampled = f"{before.reward:.2f} -> {after.reward:.2f}"
    return f"{f'{sampled}, {before.greedy_accuracy:.2f} -> {after.greedy_accuracy:.2f}':>32}"


if __name__ == "__main__":
    sys.exit(main())
