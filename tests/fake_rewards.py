"""Rewards whose timing and faults a test decides. They implement `reward_server.api.Reward`."""

import asyncio
from collections.abc import Awaitable, Callable

from reward_server.api import CostClass, Grade, MathReference, Measure, RewardInfo, Sample, Verdict
from reward_server.errors import GraderTimeoutError

RIGHT = Grade(value=1.0, verdict=Verdict.CORRECT, explanation="right")


def info(name: str, cost_class: CostClass, *, deterministic: bool = True) -> RewardInfo:
    return RewardInfo(
        name=name,
        version="1.2.3",
        reference=MathReference,
        measure=Measure.CORRECTNESS,
        cost_class=cost_class,
        deterministic=deterministic,
    )


class Inline:
    """Calls a function of the sample's answer on the spot, and counts the calls."""

    def __init__(self, judge: Callable[[str], Grade] = lambda _: RIGHT, *, name: str = "inline") -> None:
        self.info = info(name, CostClass.INLINE)
        self.calls = 0
        self._judge = judge

    def grade(self, sample: Sample, answer: str) -> Grade:
        self.calls += 1
        return self._judge(answer)


class Judge:
    """For `Inline`: half marks, full ones for "right"; "broken" has no score, and "flaky" none at first."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    def __call__(self, answer: str) -> Grade:
        self.seen.append(answer)
        if answer == "broken" or (answer == "flaky" and self.seen.count("flaky") == 1):
            raise GraderTimeoutError("the grader ran out of its budget")
        return Grade(value=1.0 if answer == "right" else 0.5, verdict=Verdict.PARTIAL, explanation="half")


class Held:
    """Grades nothing until `release` is set; knows what was started, finished and cancelled."""

    def __init__(
        self,
        name: str = "held",
        cost_class: CostClass = CostClass.WORKER,
        *,
        grade: Grade = RIGHT,
        deterministic: bool = True,
    ) -> None:
        self.info = info(name, cost_class, deterministic=deterministic)
        self.release = asyncio.Event()
        self.begun = asyncio.Event()
        self.started = 0
        self.finished = 0
        self.cancelled = 0
        self._grade = grade

    def grade(self, sample: Sample, answer: str) -> Awaitable[Grade]:
        return self._wait()

    async def _wait(self) -> Grade:
        self.started += 1
        self.begun.set()
        try:
            await self.release.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        self.finished += 1
        return self._grade


def completion(answer: str) -> str:
    """A completion whose gate is open."""
    return f"<reasoning>because</reasoning><answer>{answer}</answer>"
