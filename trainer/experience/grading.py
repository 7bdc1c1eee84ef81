"""Sends groups of completions to be graded, without waiting for the outcomes.

Each call carries whole groups and runs in a thread of its own, so that sampling and
training go on meanwhile. The threads are daemons: a run that stops does not wait for
outcomes that nobody will read.
"""

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Protocol, TypeVar

from policy.tokenizer import END_OF_TURN
from reward_client.api import Outcome, Sample
from tasks.sample import to_sample
from trainer.cluster import ALONE, Cluster
from trainer.experience.groups import GradedGroup, Group
from trainer.experience.rewards import clean_completion

STOP_MARKS = (END_OF_TURN, "<eos>")
_Result = TypeVar("_Result")


class Scorer(Protocol):
    """The part of `reward_client.client.RewardClient` that training uses, from several threads at once."""

    def score(self, samples: Sequence[Sample], *, timeout_s: float) -> Sequence[Outcome]: ...


class PendingGrades:
    """Groups whose outcomes are on their way."""

    def __init__(self, groups: Sequence[Group], outcomes: Callable[[], Sequence[Outcome]]) -> None:
        self.groups = tuple(groups)
        self._outcomes = outcomes

    def wait(self) -> tuple[list[GradedGroup], float]:
        """Returns the groups with their outcomes, and the seconds that it took from now.

        Raises:
            reward_client.api.RewardClientError: the call could not be completed.
        """
        began = time.monotonic()
        outcomes = iter(self._outcomes())
        waited_s = time.monotonic() - began
        graded = [
            GradedGroup(group=group, outcomes=tuple(next(outcomes) for _ in group.completions))
            for group in self.groups
        ]
        return graded, waited_s


class Grading:
    """Starts the grading of groups; with `overlap` false each call is made when it is waited for.

    Of the processes of a cluster, the leader's scorer is asked.
    """

    def __init__(self, scorer: Scorer, *, timeout_s: float, overlap: bool, cluster: Cluster = ALONE) -> None:
        self._scorer = scorer
        self._timeout_s = timeout_s
        self._overlap = overlap
        self._cluster = cluster

    def start(self, groups: Sequence[Group]) -> PendingGrades:
        """Sends the completions of `groups` in one call."""
        samples = [sample for group in groups for sample in to_samples(group)]

        score = self._cluster.later(lambda: self._scorer.score(samples, timeout_s=self._timeout_s))
        return PendingGrades(groups, in_background(score).result if self._overlap else score)


def in_background(call: Callable[[], _Result]) -> "Future[_Result]":
    """Makes the call in a thread of its own; what it raises is raised where its result is waited for."""
    future: Future[_Result] = Future()

    def run() -> None:
        try:
            future.set_result(call())
        except BaseException as error:  # noqa: BLE001 - not handled: raised where the outcomes are waited for
            future.set_exception(error)

    threading.Thread(target=run, name="grading", daemon=True).start()
    return future


def to_samples(group: Group) -> list[Sample]:
    """Builds what is graded of a group: raw text without the chat's stop marks."""
    position = group.draw.position
    return [
        to_sample(
            group.draw.example,
            clean_completion(completion.text, STOP_MARKS),
            sample_id=f"{position}-{number}",
            group_id=str(position),
        )
        for number, completion in enumerate(group.completions)
    ]
