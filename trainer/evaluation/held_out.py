"""The evaluations of a run on file, as points of a curve over its steps. No JAX: pages and plots read it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from evals.results import DomainResult
from trainer.run_files.records import domain_results_from_json

BEFORE, AFTER = "before", "after"
DIRECTORY = "evals"


@dataclass(frozen=True, kw_only=True, slots=True)
class HeldOut:
    """Results by domain, with `all`, of the weights behind `step`; 0 is before training."""

    step: int
    results: Mapping[str, DomainResult]


def name_of(step: int) -> str:
    """Names the evaluation while training behind `step`, as `evals/<name>.json`."""
    return f"step-{step:06}"


def read_curve(run_dir: Path, *, steps: int) -> list[HeldOut]:
    """Reads what there is, in order of steps; `after` stands at `steps`.

    Raises:
        trainer.run_files.records.RecordError: a file is not in its form.
    """
    points: list[HeldOut] = []
    for path in (run_dir / DIRECTORY).glob("*.json"):
        step = {BEFORE: 0, AFTER: steps}.get(path.stem)
        if step is None:
            number = path.stem.removeprefix("step-")
            if not number.isdecimal():
                continue
            step = int(number)
        results = json.loads(path.read_text(encoding="utf-8"))["results"]
        points.append(HeldOut(step=step, results=domain_results_from_json(results)))
    return sorted(points, key=lambda point: point.step)
