"""A reward of "another distribution": its answer is how many seconds it takes.

`install` makes it visible to child processes as a wheel would: by the entry point of a
distribution on the path.
"""

import asyncio
from collections.abc import Awaitable
from pathlib import Path

import pytest

from reward_server.api import CostClass, Grade, Sample
from reward_server.registry import Resources
from tests.fake_rewards import RIGHT, info

ROOT = Path(__file__).resolve().parents[1]


class Slow:
    def __init__(self, resources: Resources) -> None:
        self.info = info("slow", CostClass.WORKER, deterministic=False)

    def grade(self, sample: Sample, answer: str) -> Awaitable[Grade]:
        return self._wait(float(answer))

    async def _wait(self, seconds: float) -> Grade:
        await asyncio.sleep(seconds)
        return RIGHT


def install(name: str, directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every child process find `Slow` as an installed reward called `name`."""
    metadata = directory / "slow_extra-1.0.dist-info"
    metadata.mkdir(parents=True)
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: slow-extra\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(f"[assay.rewards]\n{name} = tests.slow_extra:Slow\n")
    monkeypatch.setenv("PYTHONPATH", f"{directory}:{ROOT}")
