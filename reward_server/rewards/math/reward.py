"""The math reward: is the answer's value the reference's value?"""

from collections.abc import Awaitable
from fractions import Fraction
from functools import lru_cache, partial

from reward_server.api import CostClass, Grade, MathReference, Measure, RewardInfo, Sample, Verdict
from reward_server.errors import BadReferenceError, GraderTimeoutError
from reward_server.rewards.math.judge import Gold, Judged, Layer, Undecided, UnreadGoldError, judge, read_gold
from reward_server.rewards.math.sampled import Match, Sampler
from reward_server.rewards.math.tree import (
    Apply,
    HostileAnswerError,
    NoAnswerError,
    Node,
    Number,
    StrangeAnswerError,
    to_json,
)
from reward_server.rewards.references import reference_of
from reward_server.workers import Limit, WorkerBudgetError, WorkerPool

# What the pool must be able to run for this reward.
COMPARE = "math.compare"
SIMPLIFY = "math.simplify"
TASKS = {
    COMPARE: "reward_server.rewards.math.symbolic:compare",
    SIMPLIFY: "reward_server.rewards.math.symbolic:simplify",
}

CPU_SECONDS = 0.5
# Siblings of a group share their reference.
_READ_GOLDS = 4096
_SHOWN_CHARACTERS = 60


class MathReward:
    """Compares values; see `docs/graders-math.md` for the conventions."""

    def __init__(self, workers: WorkerPool) -> None:
        self._workers = workers
        self._sampler = Sampler()
        self._read_gold = lru_cache(_READ_GOLDS)(partial(read_gold, self._sampler))

    @property
    def info(self) -> RewardInfo:
        return RewardInfo(
            name="math",
            version="1.0.0",
            reference=MathReference,
            measure=Measure.CORRECTNESS,
            cost_class=CostClass.WORKER,
        )

    def grade(self, sample: Sample, answer: str) -> Grade | Awaitable[Grade]:
        """Judge an answer; all but questions of algebra are decided at once.

        Raises:
            BadReferenceError: the reference cannot be read, or has no value (also from the awaitable).
            GraderTimeoutError: the reference alone is too much work (from the awaitable).
            GraderLostError: workers died (from the awaitable).
        """
        gold = self._gold(reference_of(sample, MathReference).answer)
        try:
            found = judge(self._sampler, gold, answer)
        except NoAnswerError:
            return Grade(value=0.0, verdict=Verdict.NO_ANSWER, explanation="the answer is empty")
        except HostileAnswerError as error:
            return rejected(answer, str(error))
        except UnreadGoldError as error:
            raise BadReferenceError(
                f"math reference {shown(gold.text)!r} can only be compared as a string: {error}"
            ) from error
        except StrangeAnswerError as error:
            return unreadable(answer, str(error))
        return self._by_algebra(gold, found) if isinstance(found, Undecided) else graded(gold, found)

    def _gold(self, text: str) -> Gold:
        try:
            return self._read_gold(text)
        except StrangeAnswerError as error:
            raise BadReferenceError(f"math reference {shown(text)!r} cannot be read: {error}") from error

    async def _by_algebra(self, gold: Gold, undecided: Undecided) -> Grade:
        payload = {"gold": to_json(undecided.gold), "answer": to_json(undecided.answer)}
        try:
            reply = await self._workers.run(COMPARE, payload, cpu_seconds=CPU_SECONDS)
        except WorkerBudgetError as error:
            await self._check_alone(undecided.gold, gold.text)
            return over_budget(undecided.text, error.limit)
        if "bad_gold" in reply:
            raise BadReferenceError(f"math reference {shown(gold.text)!r} has no value: {reply['bad_gold']}")
        if "too_large" in reply:
            return rejected(undecided.text, reply["too_large"])
        if "strange" in reply:
            return unreadable(undecided.text, reply["strange"])
        match = Match(reply["match"])
        note = ", not shown to be equal" if match is Match.UNKNOWN else ""
        correct = match is Match.EQUAL
        return graded(gold, Judged(correct=correct, layer=Layer.ALGEBRA, answer=undecided.text, note=note))

    async def _check_alone(self, gold: Node, text: str) -> None:
        """Find out whose fault a budget is: raise if the reference is too much work by itself."""
        for innocent in (Number(Fraction(1)), gold, Apply("add", (gold, gold))):
            payload = {"gold": to_json(gold), "answer": to_json(innocent)}
            try:
                await self._workers.run(SIMPLIFY, payload, cpu_seconds=CPU_SECONDS)
            except WorkerBudgetError as error:
                raise GraderTimeoutError(
                    f"math reference {shown(text)!r} is too much work even by itself: {error}"
                ) from error


def graded(gold: Gold, found: Judged) -> Grade:
    """Say what was compared with what, and by which layer."""
    relation = "equals" if found.correct else "differs from"
    how = f"{found.note} ({found.layer.value})"
    return Grade(
        value=1.0 if found.correct else 0.0,
        verdict=Verdict.CORRECT if found.correct else Verdict.INCORRECT,
        explanation=f"answer {shown(found.answer)} {relation} {shown(gold.text)}{how}",
    )


def rejected(answer: str, reason: str) -> Grade:
    """Grade an answer that no honest reply has."""
    explanation = f"answer {shown(answer)} is refused: {reason}"
    return Grade(value=0.0, verdict=Verdict.REJECTED, explanation=explanation)


def unreadable(answer: str, reason: str) -> Grade:
    """Grade an answer that is no single mathematical value."""
    explanation = f"answer {shown(answer)} cannot be read as one answer: {reason}"
    return Grade(value=0.0, verdict=Verdict.INCORRECT, explanation=explanation)


def over_budget(answer: str, limit: Limit) -> Grade:
    """Grade an answer that used up a worker, where the reference alone does not."""
    verdict = Verdict.TIME_LIMIT if limit is Limit.CPU else Verdict.MEMORY_LIMIT
    what = f"{CPU_SECONDS:g} s of CPU time" if limit is Limit.CPU else "the memory"
    return Grade(
        value=0.0, verdict=verdict, explanation=f"answer {shown(answer)} used up {what} of its grader"
    )


def shown(text: str) -> str:
    """Shorten a text for an explanation."""
    line = text if len(text) <= _SHOWN_CHARACTERS and text.isprintable() else " ".join(text.split())
    return line if len(line) <= _SHOWN_CHARACTERS else f"{line[: _SHOWN_CHARACTERS - 3]}..."
