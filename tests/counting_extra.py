"""A deterministic reward of "another distribution" that counts what it grades; a test decides its version.

`install` writes its module, so that a changed grader is a changed file, as in real life.
"""

from pathlib import Path

import pytest

from tests.slow_extra import ROOT

_MODULE = """
from pathlib import Path
from reward_server.api import CostClass, Grade, MathReference, Measure, RewardInfo, Verdict

class Counting:
    def __init__(self, resources):
        self.info = RewardInfo(
            name="counting", version="{version}", reference=MathReference,
            measure=Measure.CORRECTNESS, cost_class=CostClass.WORKER,
        )

    def grade(self, sample, answer):
        return self._grade(sample, answer)

    async def _grade(self, sample, answer):
        with open({graded!r}, "a") as file:
            file.write(answer + "\\n")
        right = {right}
        return Grade(
            value=float(right), verdict=Verdict.CORRECT if right else Verdict.INCORRECT,
            explanation=f"{{answer}}\\x1b by version {version}",
        )
"""


def install(directory: Path, monkeypatch: pytest.MonkeyPatch, *, version: str, right: str) -> Path:
    """Let every child process find the reward `counting`; returns the file that gets each graded answer.

    `right` is the grader's rule, an expression of `answer` and `sample`.
    """
    graded = directory / "graded"
    metadata = directory / "counting_extra-1.0.dist-info"
    metadata.mkdir(parents=True, exist_ok=True)
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: counting-extra\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text("[assay.rewards]\ncounting = counting_extra:Counting\n")
    module = _MODULE.format(version=version, graded=str(graded), right=right)
    (directory / "counting_extra.py").write_text(module)
    monkeypatch.setenv("PYTHONPATH", f"{directory}:{ROOT}")
    # A rewritten module of the same second must not be taken for its old bytecode.
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    return graded
