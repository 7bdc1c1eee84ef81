"""The math reward beside the graders that people use today: accuracy, speed, hangs, memory.

    python -m bench.graders [--data-dir DIR] [--gsm8k-golds 100] [--hostile-budget-s 2]

The others are installed from bench/requirements-graders.txt into a virtual environment that
is made for the run and thrown away (`--venv DIR` keeps one). Every grader gets one row at a
time in a warm process. Prints the Markdown tables of bench/README.md.

Wrong verdicts are written `missed/false`: right answers refused, wrong answers accepted. The
labels of the tables follow docs/graders-math.md, so that a few rows are a matter of
convention; the category says which.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import venv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.grader_rows import Row, gsm8k_rows, hostile_rows, table_rows
from bench.math_forms import sampled_rows

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
ANCHORS = {
    "math-verify, NeMo-Skills": "nemo_skills",
    "math-verify, verl": "verl",
    "math-verify, TRL": "trl",
    "prm800k-style": "prm800k_style",
    "Hendrycks-style": "hendrycks_style",
}
OURS = "Assay"
# Of some 13,000 generated rows; the slowest of the graders does 180 a second.
ONE_GENERATED_ROW_IN = 8
# No row of the tables needs more from any grader; math-verify's own alarms ring after 5 s.
TABLE_BUDGET_S = 12.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    correct: bool
    seconds: float
    killed: bool
    failed: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Run:
    """What one grader made of all rows, in their order."""

    verdicts: list[Verdict]
    peak_mb: float


def grade(command: Sequence[str], rows: Sequence[Row]) -> Run:
    """Give all rows to a grader's process."""
    lines = "".join(json.dumps({"gold": row.gold, "answer": row.answer}) + "\n" for row in rows)
    ended = subprocess.run(command, input=lines, cwd=ROOT, capture_output=True, text=True, check=False)
    if ended.returncode != 0:
        sys.exit(f"{command} ended with {ended.returncode}: {ended.stderr[-2000:]}")
    *verdicts, last = map(json.loads, ended.stdout.splitlines())
    assert len(verdicts) == len(rows)
    return Run(verdicts=[Verdict(**each) for each in verdicts], peak_mb=last["peak_mb"])


def commands(python: Path, budget_s: float) -> dict[str, list[str]]:
    """Return how each grader is started, ours first."""
    ours = {OURS: [sys.executable, "-m", "bench.anchors.ours"]}
    runner = str(HERE / "anchors" / "runner.py")
    return ours | {label: [str(python), runner, name, str(budget_s)] for label, name in ANCHORS.items()}


def environment(directory: Path) -> Path:
    """Return the Python of the others' environment, making it if it is not there."""
    python = directory / "bin" / "python"
    if not python.exists():
        print(f"installing the other graders into {directory}", file=sys.stderr)
        venv.create(directory, with_pip=True)
        install = ("-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--requirement")
        subprocess.run([str(python), *install, str(HERE / "requirements-graders.txt")], check=True)
    return python


def errors(rows: Sequence[Row], run: Run) -> tuple[int, int]:
    """Count right answers refused (a failure counts) and wrong answers accepted."""
    pairs = list(zip(rows, run.verdicts, strict=True))
    missed = sum(row.right and not found.correct for row, found in pairs)
    wrongly = sum(not row.right and found.correct for row, found in pairs)
    return missed, wrongly + sum(found.failed and not row.right for row, found in pairs)


def print_summary(rows: Sequence[Row], runs: dict[str, Run]) -> None:
    print(f"\n### {len(rows)} labelled pairs, one at a time\n")
    print("| grader | right verdicts | missed/false | p50 | p99 | pairs/s a core | killed | peak memory |")
    print("|---|---|---|---|---|---|---|---|")
    for label, run in runs.items():
        missed, wrongly = errors(rows, run)
        times = [each.seconds for each in run.verdicts]
        share = 100.0 * (1.0 - (missed + wrongly) / len(rows))
        p50, p99 = statistics.median(times) * 1e3, statistics.quantiles(times, n=100)[98] * 1e3
        killed = sum(each.killed for each in run.verdicts)
        print(f"| {label} | {share:.1f} % | {missed}/{wrongly} | {p50:.3f} ms | {p99:.2f} ms ", end="")
        print(f"| {len(rows) / sum(times):,.0f} | {killed} | {run.peak_mb:.0f} MB |")


def print_categories(rows: Sequence[Row], runs: dict[str, Run]) -> None:
    print("\n### Wrong verdicts by category, `missed/false`\n")
    print(f"| category | pairs | {' | '.join(runs)} |")
    print("|---" * (len(runs) + 2) + "|")
    for category in sorted({row.category for row in rows}):
        places = [place for place, row in enumerate(rows) if row.category == category]
        part = [rows[place] for place in places]
        cells = []
        for run in runs.values():
            chosen = Run(verdicts=[run.verdicts[place] for place in places], peak_mb=0.0)
            missed, wrongly = errors(part, chosen)
            cells.append(f"{missed}/{wrongly}" if missed or wrongly else "0")
        print(f"| {category} | {len(part)} | {' | '.join(cells)} |")


def print_hostile(rows: Sequence[Row], runs: dict[str, Run], budget_s: float) -> None:
    print(f"\n### {len(rows)} hostile answers, killed after {budget_s:g} s (Assay bounds itself)\n")
    print("| grader | accepted | no score | killed | worst | all | peak memory |")
    print("|---|---|---|---|---|---|---|")
    for label, run in runs.items():
        accepted = sum(each.correct for each in run.verdicts)
        failed = sum(each.failed for each in run.verdicts)
        killed = sum(each.killed for each in run.verdicts)
        worst, total = (each(found.seconds for found in run.verdicts) for each in (max, sum))
        print(f"| {label} | {accepted} | {failed} | {killed} | {worst:.2f} s | {total:.1f} s ", end="")
        print(f"| {run.peak_mb:.0f} MB |")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    default = Path(os.environ.get("ASSAY_DATA_DIR", ROOT.parent / "shared" / "data"))
    parser.add_argument("--data-dir", type=Path, default=default, help="directory that holds gsm8k/")
    parser.add_argument("--gsm8k-golds", type=int, default=100)
    parser.add_argument("--hostile-budget-s", type=float, default=2.0)
    parser.add_argument("--venv", type=Path, help="keep the others' environment here")
    options = parser.parse_args()
    rows = table_rows() + gsm8k_rows(options.data_dir, options.gsm8k_golds)
    rows += sampled_rows(options.data_dir, ONE_GENERATED_ROW_IN)
    hostile = hostile_rows()
    with tempfile.TemporaryDirectory(prefix="graders-") as scratch:
        python = environment(options.venv or Path(scratch) / "venv")
        runs = {label: grade(each, rows) for label, each in commands(python, TABLE_BUDGET_S).items()}
        print_summary(rows, runs)
        print_categories(rows, runs)
        budget_s = options.hostile_budget_s
        attacked = {label: grade(each, hostile) for label, each in commands(python, budget_s).items()}
        print_hostile(hostile, attacked, budget_s)


if __name__ == "__main__":
    main()
