"""What a terminal shows of a run: from values to text and tables. No output happens here.

Numbers of the training phase are means over the last ten steps unless they say
otherwise; sparklines are over the whole run.
"""

import itertools
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from rich.console import Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from trainer.run_files.records import StepRecord

TRAILING_STEPS = 10
SPARK_CELLS = 24

_BLOCKS = "▁▂▃▄▅▆▇█"
_LEAST_RANGE = 0.1  # smaller movements of a reward in [0, 1] look flat, as they should


@dataclass(frozen=True, kw_only=True, slots=True)
class Phase:
    """A part of the run. `total` counts steps, batches or rows; None where it cannot be known.

    `info` is what the phase says about itself beside the bar; `left_s` is its own guess
    of the seconds left, None to go by the pace so far.
    """

    name: str
    started_s: float
    total: int | None = None
    done: int = 0
    info: str = ""
    left_s: float | None = None

    def remaining_s(self, now: float) -> float | None:
        """Return the seconds left, or None while they cannot be told."""
        if self.left_s is not None:
            return self.left_s
        if not self.total or not self.done:
            return None
        return (now - self.started_s) / self.done * max(0, self.total - self.done)


def header(phase: Phase, now: float) -> RenderableType:
    """Render the running phase: its bar, its counts and its times."""
    row = Table.grid(padding=(0, 1))
    bar = ProgressBar(
        total=phase.total, completed=phase.done, width=24, pulse=phase.total is None, animation_time=now
    )
    row.add_row(Text(phase.name, style="bold"), bar, Text(_counts(phase, now)), Text(phase.info, style="dim"))
    return row


def phase_line(phase: Phase, now: float) -> str:
    """Render the running phase as one line."""
    return "  ".join(part for part in (phase.name, _counts(phase, now), phase.info) if part)


def body(records: Sequence[StepRecord], held_out: Sequence[tuple[int, float]] = ()) -> RenderableType:
    """Render the steps so far: reward in all, on held-out prompts and by domain, then the figures.

    `held_out` are steps with the reward of an evaluation behind them.
    """
    if not records:
        return Text("")
    rewards = Table.grid(padding=(0, 2))
    rewards.add_column(min_width=8)
    rewards.add_column(justify="right")
    rewards.add_row(
        "reward", _number(_trailing([record.reward for record in records])), _spark_total(records)
    )
    if held_out:
        values = [reward for _, reward in held_out]
        rewards.add_row(
            "held-out", _number(values[-1]), Text(f"{sparkline(values)} behind step {held_out[-1][0]:,}")
        )
    for domain in sorted({domain for record in records for domain in record.reward_by_domain}):
        series = [record.reward_by_domain[domain] for record in records if domain in record.reward_by_domain]
        rewards.add_row(
            Text(domain, style="dim"), _number(_trailing(series)), Text(sparkline(series), style="cyan")
        )
    return Group(rewards, Text("   ".join(_figures(records))))


def step_line(records: Sequence[StepRecord], held_out: Sequence[tuple[int, float]] = ()) -> str:
    """Render the newest step as one line, for logs."""
    domains = ", ".join(f"{name} {_number(value)}" for name, value in records[-1].reward_by_domain.items())
    reward = f"reward {_number(_trailing([record.reward for record in records]))}"
    parts = [f"{reward} (this step: {domains})" if domains else reward]
    if held_out:
        parts.append(f"held-out {_number(held_out[-1][1])} (step {held_out[-1][0]:,})")
    return "  ".join([*parts, *_figures(records)])


def sparkline(values: Sequence[float]) -> str:
    """Draw values as at most 24 blocks, each the mean of its share of them; NaN is left out."""
    finite = [value for value in values if math.isfinite(value)]
    if not finite:
        return ""
    cells = min(SPARK_CELLS, len(finite))
    edges = [round(index * len(finite) / cells) for index in range(cells + 1)]
    means = [fmean(finite[low:high]) for low, high in itertools.pairwise(edges)]
    low = min(means)
    scale = (len(_BLOCKS) - 1) / max(max(means) - low, _LEAST_RANGE)
    return "".join(_BLOCKS[round((mean - low) * scale)] for mean in means)


def duration(seconds: float) -> str:
    """Write seconds as `12.3 s`, `4:05` or `1:02:03`."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def info_text(info: Mapping[str, object]) -> str:
    """Write the keywords of `Progress.advance` for a person."""
    return "  ".join(
        f"{name.replace('_', ' ')} {_number(value) if isinstance(value, float) else value}"
        for name, value in info.items()
    )


def _counts(phase: Phase, now: float) -> str:
    parts = [f"{duration(now - phase.started_s)} elapsed"]
    if phase.total is not None:
        parts.insert(0, f"{phase.done:,}/{phase.total:,}")
    remaining = phase.remaining_s(now)
    if remaining is not None and math.isfinite(remaining):
        parts.append(f"{duration(remaining)} left")
    return "  ".join(parts)


def _figures(records: Sequence[StepRecord]) -> list[str]:
    recent = records[-TRAILING_STEPS:]
    seconds = sum(record.step_s for record in recent)
    tokens = sum(record.completion_tokens for record in recent)
    waited = sum(record.reward_wait_s for record in recent)
    ungraded = sum((Counter(record.failures) for record in records), Counter[str]())
    figures = [
        f"format {_number(100 * _trailing([record.format_rate for record in records]), 0)} %",
        f"KL {_number(_trailing([record.kl for record in records]), 4)}",
        f"{_number(seconds / len(recent), 2)} s/step",
    ]
    if seconds > 0:
        figures += [
            f"{tokens / seconds:,.0f} tokens/s",
            f"waiting for rewards {100 * waited / seconds:.1f} %",
        ]
    kinds = ", ".join(f"{kind} {count}" for kind, count in sorted(ungraded.items()))
    figures.append(f"ungraded {ungraded.total():,}" + (f" ({kinds})" if kinds else ""))
    return figures


def _spark_total(records: Sequence[StepRecord]) -> Text:
    return Text(sparkline([record.reward for record in records]), style="bold cyan")


def _trailing(values: Sequence[float]) -> float:
    finite = [value for value in values[-TRAILING_STEPS:] if math.isfinite(value)]
    return fmean(finite) if finite else math.nan


def _number(value: float, digits: int = 3) -> str:
    return f"{value:.{digits}f}" if math.isfinite(value) else "-"
