"""What a finished run says of itself: a table of before and after, and what the numbers allow to claim.

The verdict is a function of the summary, so that a run that learned nothing says so.
"""

from pathlib import Path

from rich import box
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from evals.results import ALL, DomainResult
from evals.statistics import Interval, difference
from trainer.reporting.view import duration
from trainer.run_files.records import SUMMARY_FILE, Summary, to_json
from trainer.run_files.run_directory import RunDirectory

_SIGNIFICANT = 0.05


def write_summary(run_dir: Path, summary: Summary) -> Path:
    """Write `summary.json` into the run, whole or not at all: it says that the run is finished."""
    RunDirectory(run_dir).write_text(SUMMARY_FILE, to_json(summary, indent=2) + "\n")
    return run_dir / SUMMARY_FILE


def print_summary(summary: Summary, *, console: Console | None = None) -> None:
    """Print the table, the verdict, and where the time and the failures went."""
    (console or Console()).print(Group(_table(summary), *(Text(line) for line in lines(summary))))


def lines(summary: Summary) -> list[str]:
    """Return what is said below the table, a sentence each."""
    versions = ", ".join(f"{name} {version}" for name, version in summary.reward_versions.items())
    first, last = summary.reward_first_tenth, summary.reward_last_tenth
    phases = ", ".join(f"{phase} {duration(seconds)}" for phase, seconds in summary.seconds.items())
    return [
        *verdict(summary),
        f"training reward: {first:.3f} in the first tenth of {_steps(summary)}, {last:.3f} in the last",
        f"time: {phases}",
        f"rewards: {summary.rewards:,} graded, {_waited(summary)}",
        f"ungraded: {_failures(summary)}",
        *(f"skipped: {what}: {why}" for what, why in summary.skipped.items()),
        f"seed {summary.seed}, prompt template {summary.prompt_hash}, graded by {versions or 'nothing'}",
    ]


def verdict(summary: Summary) -> list[str]:
    """Say what the numbers show: no rise, a sharper policy, or one that also answers better when greedy.

    The reward counts as risen at p < 0.05 of the paired test; greedy accuracy as changed
    when the 95 % interval of its change excludes zero.
    """
    before, after = summary.before.get(ALL), summary.after.get(ALL)
    if before is None or after is None:
        return ["nothing was graded before or after training: this run shows nothing about learning"]
    measured = (
        f"from {before.reward:.3f} (95 % interval {_range(before.reward_interval)}) to {after.reward:.3f} "
        f"({_range(after.reward_interval)}), one-sided paired p = {summary.p_value:.2g}"
    )
    if not (after.reward > before.reward and summary.p_value < _SIGNIFICANT):
        return [
            f"sampled reward on held-out prompts did not measurably rise: {measured}; no learning is shown"
        ]
    return [
        f"sampled reward on held-out prompts rose: {measured}",
        _sampled_change(before, after),
        _greedy_change(before, after),
    ]


def _sampled_change(before: DomainResult, after: DomainResult) -> str:
    """Tell learning the format from learning to answer: accuracy counts a malformed reply as wrong."""
    changed = f"well-formed completions went from {before.format_rate:.3f} to {after.format_rate:.3f}"
    if before.format_rate == 0 or after.format_rate == 0:
        return changed
    earlier, later = before.accuracy / before.format_rate, after.accuracy / after.format_rate
    changed += f", and accuracy among them from {earlier:.3f} to {later:.3f}"
    return changed if later > earlier else f"{changed}: the gain is in the format alone"


def _greedy_change(before: DomainResult, after: DomainResult) -> str:
    low, high = difference(
        (before.greedy_accuracy, before.greedy_accuracy_interval),
        (after.greedy_accuracy, after.greedy_accuracy_interval),
    )
    change = (
        f"from {before.greedy_accuracy:.3f} to {after.greedy_accuracy:.3f} "
        f"(95 % interval of the change {low:+.3f} to {high:+.3f})"
    )
    if low > 0:
        return (
            f"greedy accuracy rose too, {change}: on prompts held out from training, its first choice got "
            "better and not only its draws"
        )
    if high < 0:
        return f"greedy accuracy fell, {change}: the reward was gained at the price of the first choice"
    return (
        f"greedy accuracy did not measurably change, {change}: the policy does more often what it could do "
        "before (sharpening); that it solves new problems is not shown"
    )


def _table(summary: Summary) -> RenderableType:
    table = Table(
        title=f"{summary.config}: before → after {_steps(summary)}",
        box=box.SIMPLE_HEAD,
        collapse_padding=True,
        show_edge=False,
    )
    table.add_column("domain")
    for heading in ("prompts", "sampled reward", "format %", "accuracy %", "greedy accuracy %", "ungraded"):
        table.add_column(heading, justify="right", no_wrap=heading == "sampled reward")
    for domain in [*(name for name in summary.after if name != ALL), ALL]:
        before, after = summary.before.get(domain), summary.after.get(domain)
        if before is not None and after is not None:
            table.add_row(domain, *_cells(before, after), style="bold" if domain == ALL else "")
    return table


def _cells(before: DomainResult, after: DomainResult) -> list[str]:
    return [
        f"{after.prompts:,}",
        f"{before.reward:.3f} → {after.reward:.3f}",
        f"{100 * before.format_rate:.0f} → {100 * after.format_rate:.0f}",
        f"{100 * before.accuracy:.0f} → {100 * after.accuracy:.0f}",
        f"{100 * before.greedy_accuracy:.0f} → {100 * after.greedy_accuracy:.0f}",
        f"{before.ungraded + after.ungraded:,}",
    ]


def _range(interval: Interval) -> str:
    low, high = interval
    return f"{low:.3f} to {high:.3f}"


def _steps(summary: Summary) -> str:
    resumed = f", resumed after step {summary.resumed_from_step}" if summary.resumed_from_step else ""
    return f"{summary.steps:,} steps{resumed}"


def _waited(summary: Summary) -> str:
    waited = f"training waited {duration(summary.reward_wait_s)} for them"
    training = summary.seconds.get("train", 0.0)
    return f"{waited} ({100 * summary.reward_wait_s / training:.1f} %)" if training > 0 else waited


def _failures(summary: Summary) -> str:
    return ", ".join(f"{kind} {count:,}" for kind, count in sorted(summary.failures.items())) or "none"
