"""The evaluations that a run makes of itself, before, while and after it trains, as points of a curve.

They are of prompts that the run is not trained on. Files that are being written, or are of
another program, are passed over: a curve is looked at while it grows.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from evals.questions.rows import CONFIG_FILE
from evals.results import ALL
from evals.statistics import Interval

DIRECTORY = "evals"


@dataclass(frozen=True, kw_only=True, slots=True)
class Point:
    """One domain, or `all`, of the weights behind `step`; 0 is before training. Intervals are at 95 %."""

    step: int
    domain: str
    prompts: int
    reward: float
    reward_interval: Interval
    greedy_accuracy: float
    greedy_accuracy_interval: Interval


def read_held_out(run_dir: Path, *, last_step: int = 0) -> list[Point]:
    """Read the curve of a run in order of steps; `after` stands at the steps of its configuration.

    Where the configuration does not say, it stands at `last_step`.
    """
    steps = _configured_steps(run_dir) or last_step
    points = [
        point
        for path in (run_dir / DIRECTORY).glob("*.json")
        if (step := _step_of(path.stem, steps)) is not None
        for point in _points(path, step)
    ]
    return sorted(points, key=lambda point: (point.step, point.domain == ALL, point.domain))


def run_of(results: Path, source: str) -> Path | None:
    """Return the run that an evaluation in `results` is of: the one it lies in, else the one it names.

    A link such as `runs/latest` names another run later, so that it says nothing by then.
    """
    if results.resolve().parent.name == DIRECTORY:
        return results.resolve().parent.parent
    named = Path(source.removesuffix(" (base)"))
    return named if named.is_dir() and not named.is_symlink() else None


def of_domain(points: Sequence[Point], domain: str) -> list[Point]:
    """Return the points of one domain."""
    return [point for point in points if point.domain == domain]


def _step_of(name: str, steps: int) -> int | None:
    number = name.removeprefix("step-")
    return {"before": 0, "after": steps}.get(name, int(number) if number.isdecimal() else None)


def _points(path: Path, step: int) -> list[Point]:
    try:
        results: Mapping[str, Any] = json.loads(path.read_text(encoding="utf-8"))["results"]
        return [
            Point(
                step=step,
                domain=domain,
                prompts=int(values["prompts"]),
                reward=float(values["reward"]),
                reward_interval=Interval(*map(float, values["reward_interval"])),
                greedy_accuracy=float(values["greedy_accuracy"]),
                greedy_accuracy_interval=Interval(*map(float, values["greedy_accuracy_interval"])),
            )
            for domain, values in results.items()
        ]
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return []


def _configured_steps(run_dir: Path) -> int:
    try:
        steps: object = yaml.safe_load((run_dir / CONFIG_FILE).read_text(encoding="utf-8"))["steps"]
    except (OSError, ValueError, yaml.YAMLError, KeyError, TypeError):
        return 0
    return steps if isinstance(steps, int) else 0
