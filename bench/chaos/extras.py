"""Rewards of "another distribution", which servers find by their entry points.

`stalling` never comes to an end: it spins in a worker, or waits for ever. `versioned` is
right; its version is what the file says, so that a restarted server can be a newer one.
"""

import os
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
STALLING = "stalling"
VERSIONED = "versioned"
SPIN_CPU_S = 0.5

_METADATA = "Metadata-Version: 2.1\nName: chaos-extra\nVersion: 1.0\n"
_ENTRY_POINTS = f"""
[assay.rewards]
{STALLING} = chaos_stalling:Stalling
{VERSIONED} = chaos_versioned:Versioned

[assay.worker_tasks]
chaos_spin = chaos_spinning:spin
"""
_SPINNING = """
def spin(_):
    while True:
        pass
"""
_STALLING = f"""
import asyncio

from reward_server.api import CostClass, MathReference, Measure, RewardInfo
from reward_server.errors import GraderTimeoutError
from reward_server.workers.errors import WorkerBudgetError

class Stalling:
    def __init__(self, resources):
        self._workers = resources.workers
        self.info = RewardInfo(
            name="{STALLING}", version="1.0.0", reference=MathReference,
            measure=Measure.CORRECTNESS, cost_class=CostClass.WORKER,
        )

    async def grade(self, sample, answer):
        if answer == "sleep":
            await asyncio.sleep(3600)
        try:
            await self._workers.run("chaos_spin", None, cpu_seconds={SPIN_CPU_S})
        except WorkerBudgetError as error:
            raise GraderTimeoutError(str(error)) from error
"""
_VERSIONED = """
from reward_server.api import CostClass, Grade, MathReference, Measure, RewardInfo, Verdict

class Versioned:
    def __init__(self, resources):
        self.info = RewardInfo(
            name="{name}", version="{version}", reference=MathReference,
            measure=Measure.CORRECTNESS, cost_class=CostClass.INLINE,
        )

    def grade(self, sample, answer):
        right = answer == sample.reference.answer
        return Grade(
            value=float(right), verdict=Verdict.CORRECT if right else Verdict.INCORRECT,
            explanation="by version {version}",
        )
"""


def install(site: Path) -> Mapping[str, str]:
    """Write them into a directory; returns the environment in which servers find them."""
    metadata = site / "chaos_extra-1.0.dist-info"
    metadata.mkdir(parents=True)
    (metadata / "METADATA").write_text(_METADATA)
    (metadata / "entry_points.txt").write_text(_ENTRY_POINTS)
    (site / "chaos_spinning.py").write_text(_SPINNING)
    (site / "chaos_stalling.py").write_text(_STALLING)
    set_version(site, "1.0.0")
    paths = [str(site), str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    # A rewritten module of the same second must not be taken for its old bytecode.
    return {"PYTHONPATH": os.pathsep.join(paths), "PYTHONDONTWRITEBYTECODE": "1"}


def set_version(site: Path, version: str) -> None:
    """Make it another version from the next start of a server on."""
    (site / "chaos_versioned.py").write_text(_VERSIONED.format(name=VERSIONED, version=version))
