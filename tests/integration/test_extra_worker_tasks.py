"""Rewards of another distribution that do their work in killable workers, named by an entry point."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from reward_client.api import Sample, Score, TextReference
from reward_client.client import RewardClient
from reward_client.local import LocalServer

MODULE = '''
"""`digits`: how many digits the answer is long when it is squared; in a worker, for it may be long.

`vowels`: how many of its letters are; on the spot, and where there are many answers in workers.
"""

import os

from reward_server.api import CostClass, Grade, Measure, RewardInfo, TextReference, Verdict
from reward_server.workers import Limit, WorkerBudgetError
from reward_server.workers.grading import grading


def square(payload):
    while payload["answer"] == "loop":
        pass
    return {"digits": len(str(int(payload["answer"]) ** 2))}


class Digits:
    def __init__(self, resources):
        self._workers = resources.workers
        self.info = RewardInfo(
            name="digits", version="1.0.0", reference=TextReference, measure=Measure.CORRECTNESS,
            cost_class=CostClass.WORKER,
        )

    def grade(self, sample, answer):
        return self._grade(sample, answer)

    async def _grade(self, sample, answer):
        try:
            found = await self._workers.run("digits.square", {"answer": answer}, cpu_seconds=0.5)
        except WorkerBudgetError:
            return Grade(value=0.0, verdict=Verdict.TIME_LIMIT, explanation="the answer takes too long")
        right = str(found["digits"]) == sample.reference.reference
        verdict = Verdict.CORRECT if right else Verdict.INCORRECT
        return Grade(value=float(right), verdict=verdict, explanation=f"{found['digits']} digits")


class Vowels:
    info = RewardInfo(
        name="vowels", version="1.0.0", reference=TextReference, measure=Measure.QUALITY,
        cost_class=CostClass.INLINE, worker_task="vowels",
    )

    def grade(self, sample, answer):
        share = sum(letter in "aeiou" for letter in answer * 2_000) / (len(answer) * 2_000)
        return Grade(value=share, verdict=Verdict.QUALITY, explanation=f"in process {os.getpid()}")


grade_vowels = grading({"vowels": Vowels()})


def make_vowels(resources):
    return Vowels()
'''


@pytest.fixture
def client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[RewardClient]:
    """A client of a server that finds `digits` and its task installed."""
    (tmp_path / "digits_reward.py").write_text(MODULE)
    metadata = tmp_path / "digits-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: digits\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(
        "[assay.rewards]\ndigits = digits_reward:Digits\nvowels = digits_reward:make_vowels\n"
        "[assay.worker_tasks]\ndigits.square = digits_reward:square\nvowels = digits_reward:grade_vowels\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with LocalServer(tmp_path / "log") as server, RewardClient(server.address) as made:
        yield made


def sample(answer: str, reward: str = "digits") -> Sample:
    completion = f"<reasoning>r</reasoning><answer>{answer}</answer>"
    return Sample(
        sample_id=answer,
        reward=reward,
        prompt="",
        completion=completion,
        reference=TextReference(reference="3"),
    )


def test_a_task_named_by_an_entry_point_runs_in_a_worker_and_is_killed_there(client: RewardClient) -> None:
    outcomes = client.score([sample("12"), sample("loop"), sample("5")], timeout_s=60.0)

    verdicts = [outcome.result.verdict for outcome in outcomes if isinstance(outcome.result, Score)]
    assert verdicts == ["CORRECT", "TIME_LIMIT", "INCORRECT"]


def test_an_inline_reward_with_a_task_uses_several_processes_where_there_are_many_answers(
    client: RewardClient,
) -> None:
    client.score([sample("12")], timeout_s=60.0)  # the workers are warm

    outcomes = client.score([sample(f"a{number:03}", "vowels") for number in range(500)], timeout_s=60.0)

    scores = [outcome.result for outcome in outcomes if isinstance(outcome.result, Score)]
    assert len(scores) == 500
    assert {score.components["quality"] for score in scores} == {0.25}
    assert len({score.explanation for score in scores}) > 1
