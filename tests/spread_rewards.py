"""An inline reward that tells where it graded, and misbehaves on request; its task is "telling"."""

import os
import signal
import time

from reward_server.api import CostClass, Grade, Measure, RewardInfo, Sample, TextReference, Verdict
from reward_server.errors import BadReferenceError
from reward_server.workers.grading import grading

TASKS = {"telling": "tests.spread_rewards:grade_all"}


class Telling:
    """Explains every grade with the number of the process that gave it.

    The answer says what else happens: "raise", "bad reference", "spin" for ever, "die" (in a worker
    only: where it is asked again, it grades), "work" for 10 ms.
    """

    def __init__(self, home: int = 0) -> None:
        self.home = home

    @property
    def info(self) -> RewardInfo:
        return RewardInfo(
            name="telling",
            version="1.0.0",
            reference=TextReference,
            measure=Measure.QUALITY,
            cost_class=CostClass.INLINE,
            worker_task="telling",
        )

    def grade(self, sample: Sample, answer: str) -> Grade:
        what = answer.partition("/")[0]
        if what == "raise":
            raise ValueError("no such thing")
        if what == "bad reference":
            raise BadReferenceError(f"text.reference: {sample.reference!r}")
        if what == "die" and os.getpid() != self.home:
            os.kill(os.getpid(), signal.SIGKILL)
        while what == "spin":
            pass
        ends = time.thread_time() + 0.01
        while what == "work" and time.thread_time() < ends:
            pass
        return Grade(
            value=0.5, verdict=Verdict.QUALITY, explanation=str(os.getpid()), components={"part": 1 / 3}
        )


grade_all = grading({"telling": Telling()})
