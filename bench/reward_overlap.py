"""How much of a step is spent waiting for rewards that take 300 ms?

    python bench/reward_overlap.py

Trains a small Gemma 3 of random weights against a real reward server, in which every sample takes
`--latency` seconds: the reward `delayed` of this file, found by the entry point of a distribution
that the benchmark puts on the path of the server. What is graded is the length of a completion, so
that every group has variance. Each row is a run of `--steps` steps; the first two, which compile,
are left out, and shares are of the wall time of the others.
"""

import argparse
import asyncio
import os
import shutil
import sys
import tempfile
import warnings
from collections.abc import Awaitable, Sequence
from dataclasses import replace
from pathlib import Path

from reward_client.api import MathReference, Outcome, Sample
from reward_client.client import RewardClient
from reward_client.local import LocalServer
from reward_server.api import CostClass, Grade, Measure, RewardInfo, Verdict
from reward_server.api import MathReference as ServerMathReference
from reward_server.api import Sample as ServerSample
from reward_server.registry import Resources
from reward_server.scoring.lanes import make_room
from tasks.prompts import demonstration_text
from trainer.config import TrainConfig, parse

ROOT = Path(__file__).resolve().parents[1]
COMPILING = 2  # steps
MODES: dict[str, dict[str, object]] = {
    "waits for each batch": {"overlap": False},
    "background, one batch at once": {},
    "background, micro-batches": {"micro_prompts": 1},
    "background, micro-batches, sampled in two calls": {"micro_prompts": 1, "rollout_prompts": 4},
    "one step off-policy": {"one_step_off_policy": True},
}


class Delayed:
    """A reward on the server's side that takes its time; the answer is the score in sevenths."""

    def __init__(self, resources: Resources) -> None:
        self.info = RewardInfo(
            name="delayed",
            version="1.0.0",
            reference=ServerMathReference,
            measure=Measure.CORRECTNESS,
            cost_class=CostClass.WORKER,
            deterministic=False,
        )
        self._latency_s = float(os.environ["DELAYED_S"])

    def grade(self, sample: ServerSample, answer: str) -> Awaitable[Grade]:
        return self._grade(int(answer) / 7)

    async def _grade(self, value: float) -> Grade:
        make_room()  # a queue in front of two workers would add to the latency
        await asyncio.sleep(self._latency_s)
        return Grade(value=value, verdict=Verdict.PARTIAL, explanation="a length")


class DelayedScorer:
    """Sends each completion's length to be graded late."""

    def __init__(self, client: RewardClient) -> None:
        self._client = client

    def score(self, samples: Sequence[Sample], *, timeout_s: float) -> Sequence[Outcome]:
        sent = [
            replace(
                sample,
                reward="delayed",
                completion=demonstration_text("a length", str(len(sample.completion) % 8)),
                reference=MathReference(answer="1"),
            )
            for sample in samples
        ]
        return self._client.score(sent, timeout_s=timeout_s)


def configuration(options: argparse.Namespace) -> TrainConfig:
    config = parse(["--config", "tiny", "--steps", str(options.steps)])
    model = replace(config.model, layers=options.layers, width=options.width, hidden=4 * options.width)
    return replace(
        config,
        checkpoint_every=1000,
        model=replace(model, head_dim=64, max_prompt_tokens=72, max_new_tokens=64),
        warm_start=replace(config.warm_start, steps=1, batch=2),
        grpo=replace(config.grpo, prompts=8, group_size=4),
        evals=replace(config.evals, prompts_per_domain=1, samples_per_prompt=1),
    )


def measure(config: TrainConfig, base: Path, path: Path, client: RewardClient) -> tuple[float, float, str]:
    """Returns seconds a step, the share waited, and a hash-like line of the losses."""
    from trainer.reporting.progress import Progress
    from trainer.run_files.run_directory import RunDirectory
    from trainer.train import train

    if base.exists():
        path.mkdir(parents=True)
        for name in ("base", "evals"):
            shutil.copytree(base / name, path / name)
        shutil.copy(base / "policy.json", path)
    with warnings.catch_warnings(), open(os.devnull, "w") as nowhere:  # noqa: PTH123 - no file
        from rich.console import Console

        warnings.simplefilter("ignore")
        progress = Progress(console=Console(file=nowhere))
        train(config, run=RunDirectory(path), scorer=DelayedScorer(client), progress=progress)
    steps = RunDirectory(path).read_steps()[COMPILING:]
    total = sum(step.step_s for step in steps)
    losses = " ".join(f"{step.loss:.4g}" for step in steps[:3])
    return total / len(steps), sum(step.reward_wait_s for step in steps) / total, losses


def server_path(directory: Path) -> None:
    metadata = directory / "delayed-1.0.dist-info"
    metadata.mkdir(parents=True)
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: delayed\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text("[assay.rewards]\ndelayed = bench.reward_overlap:Delayed\n")
    os.environ["PYTHONPATH"] = f"{directory}:{ROOT}"


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--latency", type=float, default=0.3, help="seconds a sample takes")
    parser.add_argument("--steps", type=int, default=8)
    parser.add_argument("--layers", type=int, default=6)
    parser.add_argument("--width", type=int, default=256)
    parser.add_argument("--modes", nargs="+", default=list(MODES), help="some of the rows")
    options = parser.parse_args()
    from trainer import environment

    with tempfile.TemporaryDirectory(prefix="overlap-") as made:
        directory = Path(made)
        server_path(directory / "extra")
        os.environ["DELAYED_S"] = str(options.latency)
        environment.prepare(cache=Path("runs/.cache/xla"))
        config = configuration(options)
        with LocalServer(directory / "server.log") as server, RewardClient(server.address) as client:
            base = directory / "base"
            measure(replace(config, steps=COMPILING + 1), base, base, client)
            print(f"{'':<50}{'s/step':>8}{'waited, %':>11}   losses of the first steps")
            for name in options.modes:
                changes = dict(MODES[name])
                overlap = bool(changes.pop("overlap", True))
                changed = replace(
                    config,
                    grpo=replace(config.grpo, **changes),  # type: ignore[arg-type]
                    rewards=replace(config.rewards, overlap=overlap),
                )
                seconds, share, losses = measure(changed, base, directory / name.replace(" ", "-"), client)
                print(f"{name:<50}{seconds:>8.2f}{100 * share:>11.2f}   {losses}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
