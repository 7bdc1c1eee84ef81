"""Pictures of a run, from its files alone: `training.png` and `before_after.png`.

Faint lines are single steps, strong ones the mean of the last ten; diamonds are evaluations on
held-out prompts, with 95 % intervals. Colours are Okabe
and Ito's, told apart with any colour vision; a domain keeps its colour in every run.
"""

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import fmean

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from evals.results import ALL, DomainResult
from evals.statistics import Interval
from tasks.api import Domain
from trainer.evaluation.held_out import HeldOut, read_curve
from trainer.reporting.view import TRAILING_STEPS
from trainer.run_files.records import (
    METRICS_FILE,
    SUMMARY_FILE,
    StepRecord,
    Summary,
    read_steps,
    summary_from_json,
)

_BLACK, _ORANGE, _SKY, _GREEN, _BLUE, _RED, _PINK, _GREY = (
    "#000000", "#E69F00", "#56B4E9", "#009E73", "#0072B2", "#D55E00", "#CC79A7", "#999999",
)  # fmt: skip
_DOMAIN_COLOURS = dict(
    zip(Domain, (_BLUE, _ORANGE, _GREEN, _RED, _PINK, _SKY, _GREY), strict=True),
)
_DPI = 130
_PHASES = (
    ("rewards", "waiting for rewards", _RED),
    ("sample", "sampling", _SKY),
    ("reference", "reference model", _ORANGE),
    ("update", "updating", _BLUE),
)


def write(run_dir: Path) -> list[Path]:
    """Draw what the run has recorded so far into `plots/`, and return the files.

    Raises:
        trainer.run_files.records.RecordError: a file of the run is not in its JSON form.
    """
    figures: dict[str, Figure] = {}
    if records := read_steps(run_dir / METRICS_FILE):
        figures["training.png"] = training_figure(records, read_curve(run_dir, steps=records[-1].steps))
    summary_path = run_dir / SUMMARY_FILE
    if summary_path.is_file():
        summary = summary_from_json(summary_path.read_text(encoding="utf-8"))
        if ALL in summary.before and ALL in summary.after:
            figures["before_after.png"] = before_after_figure(summary)
    directory = run_dir / "plots"
    directory.mkdir(exist_ok=True)
    for name, figure in figures.items():
        figure.savefig(directory / name, dpi=_DPI)
    return [directory / name for name in figures]


def training_figure(records: Sequence[StepRecord], held_out: Sequence[HeldOut] = ()) -> Figure:
    """Draw six panels over the optimizer steps, with what was measured on held-out prompts."""
    figure = Figure(figsize=(13, 10.5), layout="constrained")
    panels = figure.subplots(3, 2, sharex=True)
    draw: Sequence[Callable[[Axes, Sequence[StepRecord]], None]] = (
        _reward, _reward_by_domain, _shares, _lengths, _kl, _seconds,
    )  # fmt: skip
    for axes, panel in zip(panels.flat, draw, strict=True):
        panel(axes, records)
        if panel is _reward:
            _diamonds(axes, held_out)
        axes.margins(x=0.01)
        axes.grid(alpha=0.25)
        axes.set_axisbelow(True)
        axes.spines[["top", "right"]].set_visible(False)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    for axes in panels[-1]:
        axes.set_xlabel("optimizer step")
    figure.align_ylabels()
    completions = sum(record.completions for record in records)
    figure.suptitle(f"{len(records):,} steps, {completions:,} completions", fontsize=13)
    return figure


def before_after_figure(summary: Summary) -> Figure:
    """Draw sampled reward and greedy accuracy by domain, before and after, with 95 % intervals."""
    domains = [name for name in summary.after if name in summary.before and name != ALL] + [ALL]
    figure = Figure(figsize=(max(9.0, 2.6 + 1.7 * len(domains)), 4.8), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True)
    before = [summary.before[name] for name in domains]
    after = [summary.after[name] for name in domains]
    _bars(left, domains, _rewards(before), _rewards(after))
    left.set_ylabel("mean over held-out prompts")
    _title(left, "Sampled reward")
    _bars(right, domains, _accuracies(before), _accuracies(after))
    _title(right, "Greedy accuracy")
    figure.suptitle(
        f"{summary.config}, seed {summary.seed}: before and after {summary.steps:,} steps "
        f"({summary.after[ALL].prompts:,} prompts, 95 % intervals)",
        fontsize=12,
    )
    return figure


def _reward(axes: Axes, records: Sequence[StepRecord]) -> None:
    _curve(axes, records, [record.reward for record in records], _BLUE, "reward")
    _curve(axes, records, [record.correctness for record in records], _ORANGE, "correctness or quality")
    axes.set(ylabel="mean over graded completions", ylim=(0, 1.02))
    _title(axes, "Reward")


def _diamonds(axes: Axes, held_out: Sequence[HeldOut]) -> None:
    """Draw the sampled reward of evaluations over the reward of training."""
    points = [(point.step, point.results[ALL]) for point in held_out if ALL in point.results]
    if not points:
        return
    steps, results = [step for step, _ in points], [result for _, result in points]
    rewards = [(result.reward, result.reward_interval) for result in results]
    means = [mean for mean, _ in rewards]
    axes.errorbar(
        steps, means, yerr=_reach(rewards), fmt="D", color=_BLACK, markersize=5, elinewidth=1.1,
        capsize=3, zorder=3, label="held-out reward",
    )  # fmt: skip
    _title(axes, "Reward")


def _reward_by_domain(axes: Axes, records: Sequence[StepRecord]) -> None:
    present = {name for record in records for name in record.reward_by_domain}
    for domain in Domain:
        if domain.value in present:
            values = [record.reward_by_domain.get(domain.value, math.nan) for record in records]
            # Single steps hold a few completions of a domain: seven such lines would hide the means.
            _curve(axes, records, values, _DOMAIN_COLOURS[domain], domain.value, single_steps=False)
    axes.set(ylabel="reward, mean over graded completions", ylim=(0, 1.02))
    _title(axes, "By domain")


def _shares(axes: Axes, records: Sequence[StepRecord]) -> None:
    _curve(axes, records, [record.format_rate for record in records], _GREEN, "well-formed")
    truncated = [record.truncated_share for record in records]
    _curve(axes, records, truncated, _ORANGE, "truncated")
    flat = [record.zero_variance_share for record in records]
    _curve(axes, records, flat, _BLUE, "zero-variance groups")
    ungraded = [sum(record.failures.values()) / max(1, record.completions) for record in records]
    _curve(axes, records, ungraded, _RED, "ungraded")
    axes.set(ylabel="share of completions, or of groups", ylim=(-0.02, 1.02))
    axes.yaxis.set_major_formatter(PercentFormatter(1.0))
    _title(axes, "Shares")


def _lengths(axes: Axes, records: Sequence[StepRecord]) -> None:
    _curve(axes, records, [record.completion_length for record in records], _BLUE, "")
    axes.set(ylabel="mean tokens", ylim=(0, None))
    _title(axes, "Completion length")


def _kl(axes: Axes, records: Sequence[StepRecord]) -> None:
    _curve(axes, records, [record.kl for record in records], _BLUE, "")
    axes.set(ylabel="nats per token (k3 estimate)", ylim=(0, None))
    _title(axes, "KL to the reference policy")


def _seconds(axes: Axes, records: Sequence[StepRecord]) -> None:
    steps = [record.step for record in records]
    base = [0.0] * len(records)
    for phase, label, colour in _PHASES:
        heights = [_phase_s(record, phase) for record in records]
        axes.bar(steps, heights, width=1.0, bottom=base, color=colour, label=label if any(heights) else None)
        base = [below + height for below, height in zip(base, heights, strict=True)]
    rest = [max(0.0, record.step_s - below) for record, below in zip(records, base, strict=True)]
    axes.bar(steps, rest, width=1.0, bottom=base, color=_GREY, label="other")
    # The first step compiles: drawn in full it would flatten all others.
    highest = max((record.step_s for record in records[1:]), default=records[0].step_s)
    axes.set(ylabel="seconds per step", ylim=(0, 1.1 * highest or None))
    if records[0].step_s > 1.1 * highest:
        axes.annotate(
            f"first step {records[0].step_s:.0f} s: programs are compiled",
            (0.99, 0.97),
            xycoords="axes fraction",
            horizontalalignment="right",
            verticalalignment="top",
            fontsize=9,
        )
    _title(axes, "Time")


def _phase_s(record: StepRecord, phase: str) -> float:
    """Return the seconds of a phase; records of earlier programs hold those of waiting alone."""
    return record.seconds.get(phase, record.reward_wait_s if phase == "rewards" else 0.0)


def _title(axes: Axes, title: str) -> None:
    """Write the title on the left, and the legend, where there are labels, beside it above the data."""
    axes.set_title(title, loc="left", fontweight="bold")
    handles, labels = axes.get_legend_handles_labels()
    if labels:
        axes.legend(
            handles,
            labels,
            loc="lower right",
            bbox_to_anchor=(1.01, 0.985),
            ncols=len(labels),
            frameon=False,
            fontsize=9 if len(labels) <= 4 else 8,
            handlelength=1.0,
            columnspacing=0.9,
            borderaxespad=0.2,
        )


def _curve(
    axes: Axes,
    records: Sequence[StepRecord],
    values: Sequence[float],
    colour: str,
    label: str,
    *,
    single_steps: bool = True,
) -> None:
    steps = [record.step for record in records]
    alone = len(steps) == 1  # a line through one point shows nothing
    if single_steps:
        axes.plot(steps, values, color=colour, alpha=0.2, linewidth=0.7)
    axes.plot(
        steps, _smooth(values), color=colour, linewidth=2, marker="o" if alone else "", label=label or None
    )


def _smooth(values: Sequence[float]) -> list[float]:
    return [_mean(values[max(0, end - TRAILING_STEPS) : end]) for end in range(1, len(values) + 1)]


def _mean(values: Sequence[float]) -> float:
    finite = [value for value in values if math.isfinite(value)]
    return fmean(finite) if finite else math.nan


def _rewards(results: Sequence[DomainResult]) -> list[tuple[float, Interval]]:
    return [(result.reward, result.reward_interval) for result in results]


def _accuracies(results: Sequence[DomainResult]) -> list[tuple[float, Interval]]:
    return [(result.greedy_accuracy, result.greedy_accuracy_interval) for result in results]


def _reach(estimates: Sequence[tuple[float, Interval]]) -> tuple[list[float], list[float]]:
    """Return how far intervals reach below and above their means."""
    return (
        [max(0.0, mean - interval.low) for mean, interval in estimates],
        [max(0.0, interval.high - mean) for mean, interval in estimates],
    )


def _bars(
    axes: Axes,
    domains: Sequence[str],
    before: Sequence[tuple[float, Interval]],
    after: Sequence[tuple[float, Interval]],
) -> None:
    width = 0.38
    for offset, colour, label, bars in (
        (-width / 2, _GREY, "before", before),
        (width / 2, _BLUE, "after", after),
    ):
        places = [place + offset for place in range(len(domains))]
        means = [mean for mean, _ in bars]
        reach = _reach(bars)
        axes.bar(places, means, width=width, color=colour, label=label)
        axes.errorbar(places, means, yerr=reach, fmt="none", ecolor=_BLACK, elinewidth=1.1, capsize=3)
    axes.set_xticks(range(len(domains)), domains, rotation=30 if len(domains) > 4 else 0)
    axes.set_ylim(0, 1.04)
    axes.grid(alpha=0.25, axis="y")
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
