"""From prompts to graded groups: draw, sample, send to be graded, refill.

A batch is on its way until its groups are asked for. Each `take` waits only for the
outcomes of the groups it returns, so that sampling, the reference model and the updates
on earlier groups run while later ones are graded. Nothing here depends on when outcomes
arrive, only on what they are.
"""

from collections.abc import Mapping, Sequence
from math import gcd
from typing import Any, Protocol

from trainer.config import TrainConfig
from trainer.experience.draws import Draw, Draws
from trainer.experience.grading import Grading, PendingGrades
from trainer.experience.groups import GradedGroup, Group
from trainer.experience.rewards import check_failures, to_batch


class Sampler(Protocol):
    """Completes prompts with the present weights."""

    def sample(self, draws: Sequence[Draw], *, step: int, call: int) -> list[Group]:
        """Completes the prompt of each draw once for every member of its group.

        `step` and `call` choose the randomness.
        """
        ...


class Batch:
    """The groups of one step, each graded or on its way.

    `asked` are the groups graded so far, those that a refill passed over included;
    `waited_s` is how long `take` and the refill waited for outcomes.
    """

    def __init__(self, pending: Sequence[PendingGrades], config: TrainConfig) -> None:
        self.asked: list[GradedGroup] = []
        self.waited_s = 0.0
        self.data_state: dict[str, Any] = {}
        self._pending = list(pending)
        self._ready: list[GradedGroup] = []
        self._config = config

    @property
    def groups(self) -> list[Group]:
        """The groups that are not taken yet, in order."""
        waiting = (group for pending in self._pending for group in pending.groups)
        return [*(graded.group for graded in self._ready), *waiting]

    def take(self, count: int) -> list[GradedGroup]:
        """Waits for the next `count` groups and returns them.

        Raises:
            trainer.experience.rewards.TooManyFailuresError: too few completions came back with a score.
            reward_client.api.RewardClientError: a call could not be completed.
        """
        while len(self._ready) < count:
            self._ready += self._next()
        taken, self._ready = self._ready[:count], self._ready[count:]
        return taken

    def grade_all(self, more: Sequence[PendingGrades] = ()) -> None:
        """Waits for everything, `more` included; raises like `take`."""
        self._pending += more
        while self._pending:
            self._ready += self._next()

    def choose(self, groups: Sequence[GradedGroup]) -> None:
        """Fixes which graded groups are trained on."""
        self._ready = list(groups)

    def _next(self) -> list[GradedGroup]:
        graded, waited_s = self._pending.pop(0).wait()
        self.waited_s += waited_s
        self.asked += graded
        grpo = self._config.grpo
        check_failures(
            [outcome for each in self.asked for outcome in each.outcomes],
            expected=max(grpo.prompts, len(self.asked)) * grpo.group_size,
            max_failed_share=self._config.rewards.max_failed_share,
        )
        return graded


class Experience:
    """Begins the batches of a run, and keeps account of the data they used."""

    def __init__(self, *, config: TrainConfig, draws: Draws, sampler: Sampler, grading: Grading) -> None:
        self._config = config
        self._draws = draws
        self._sampler = sampler
        self._grading = grading
        grpo = config.grpo
        self._call_prompts = grpo.rollout_prompts or grpo.prompts
        # Whole groups, and never more than what a micro-batch waits for.
        self._sent_groups = gcd(self._call_prompts, grpo.micro_prompts or grpo.prompts)

    def begin(self, step: int) -> Batch:
        """Samples the completions of a step and sends them off; waits only to refill, raising like `take`."""
        grpo = self._config.grpo
        calls = grpo.prompts // self._call_prompts
        batch = Batch([sent for call in range(calls) for sent in self._sample(step, call)], self._config)
        if grpo.zero_variance == "refill":
            self._refill(batch, step, calls)
        batch.data_state = self._draws.state()
        return batch

    def restore(self, state: Mapping[str, Any]) -> None:
        """Goes on with the data where `observe` gave `state`."""
        self._draws.restore(state)

    def observe(self, batch: Batch) -> dict[str, Any]:
        """Learns pass rates from a graded batch; returns the state of the data behind it."""
        for graded in batch.asked:
            self._draws.observe(graded.group.draw.example, to_batch(graded.outcomes).passed)
        return {**self._draws.state(), "places": batch.data_state["places"]}

    def _refill(self, batch: Batch, step: int, calls: int) -> None:
        """Replaces groups that teach nothing by other prompts, until there are enough or the budget is spent.

        DAPO's dynamic sampling (arXiv 2503.14476) with a bound. Groups beyond those needed are
        passed over; where too few teach, the rest is kept, for the loss to mask.
        """
        grpo = self._config.grpo
        most = calls + grpo.extra_prompts // self._call_prompts
        batch.grade_all()
        while calls < most and sum(graded.teaches for graded in batch.asked) < grpo.prompts:
            batch.grade_all(self._sample(step, calls))
            calls += 1
        # Those that teach first, each kind in the order of its draws.
        batch.choose(sorted(batch.asked, key=lambda graded: not graded.teaches)[: grpo.prompts])

    def _sample(self, step: int, call: int) -> list[PendingGrades]:
        groups = self._sampler.sample(self._draws.take(self._call_prompts), step=step, call=call)
        size = self._sent_groups
        return [self._grading.start(groups[start : start + size]) for start in range(0, len(groups), size)]
