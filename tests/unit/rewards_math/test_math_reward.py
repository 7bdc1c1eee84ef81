"""The math reward over its tables of cases, with a real pool of workers."""

import json
import time
from collections.abc import AsyncIterator, Awaitable
from pathlib import Path
from typing import NamedTuple

import pytest
import pytest_asyncio

from reward_server.api import CostClass, Grade, MathReference, Measure, Sample, TextReference, Verdict
from reward_server.errors import BadReferenceError, GraderLostError, GraderTimeoutError
from reward_server.rewards.math import TASKS, MathReward
from reward_server.workers import Limit, WorkerBudgetError, WorkerPool

CASES = Path(__file__).resolve().parents[2] / "cases"
ZERO_VERDICTS = {
    Verdict.INCORRECT,
    Verdict.NO_ANSWER,
    Verdict.REJECTED,
    Verdict.TIME_LIMIT,
    Verdict.MEMORY_LIMIT,
}


# The pool belongs to the loop it was started in.
IN_ONE_LOOP = pytest.mark.asyncio(loop_scope="module")


class Case(NamedTuple):
    gold: str
    answer: str
    why: str
    category: str
    verdict: str = ""


def table(name: str) -> list[Case]:
    return [Case(**json.loads(line)) for line in (CASES / name).read_text().splitlines()]


def labelled() -> list[Case]:
    """The table written with the grader, and the one written without looking at it."""
    return table("math_cases.jsonl") + table("math_fresh.jsonl")


def sample(gold: str) -> Sample:
    return Sample(
        sample_id="1", reward="math", prompt="", completion="", reference=MathReference(answer=gold)
    )


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def pool() -> AsyncIterator[WorkerPool]:
    async with WorkerPool(TASKS) as workers:
        await workers.start(1)
        yield workers


@pytest.fixture(scope="module")
def reward(pool: WorkerPool) -> MathReward:
    return MathReward(pool)


async def grade(reward: MathReward, gold: str, answer: str) -> Grade:
    found = reward.grade(sample(gold), answer)
    return await found if isinstance(found, Awaitable) else found


@IN_ONE_LOOP
@pytest.mark.parametrize("category", sorted({case.category for case in table("math_cases.jsonl")}))
async def test_every_case_of_the_category_gets_its_verdict(reward: MathReward, category: str) -> None:
    cases = [case for case in table("math_cases.jsonl") if case.category == category]
    grades = [(case, await grade(reward, case.gold, case.answer)) for case in cases]
    wrong = [(case, found) for case, found in grades if found.verdict.value != case.verdict]

    assert wrong == []


@IN_ONE_LOOP
@pytest.mark.parametrize("category", sorted({case.category for case in table("math_hostile.jsonl")}))
async def test_no_hostile_answer_is_ever_correct_or_a_failure(reward: MathReward, category: str) -> None:
    cases = [case for case in table("math_hostile.jsonl") if case.category == category]
    grades = [(case, await grade(reward, case.gold, case.answer)) for case in cases]

    assert [(case, found) for case, found in grades if found.verdict not in ZERO_VERDICTS] == []
    assert {found.value for _, found in grades} == {0.0}


@IN_ONE_LOOP
async def test_every_gold_is_right_against_itself(reward: MathReward) -> None:
    golds = {case.gold for case in labelled()}
    wrong = [gold for gold in golds if (await grade(reward, gold, gold)).value != 1.0]

    assert wrong == []


@IN_ONE_LOOP
@pytest.mark.parametrize(
    ("gold", "answer", "explanation"),
    [
        ("20", "18", "answer 18 differs from 20 (numbers)"),
        ("5 km", "5 kg", "answer 5 kg differs from 5 km, units differ (numbers)"),
        ("x^2", "x^3", "answer x^3 differs from x^2 (values)"),
        ("[1,2]\\cup[2,3]", "[1,3]", "answer [1,3] equals [1,2]\\cup[2,3] (algebra)"),
        ("5", "(5", "answer (5 cannot be read as one answer: '(' is never closed"),
        ("5", "9^{9^9}", "answer 9^{9^9} is refused: a power with too many digits"),
        ("x^2", "e^{e^{e^{e^9}}}", "answer e^{e^{e^{e^9}}} is refused: a power with too many digits"),
        ("5", "5\x00", "answer 5\x00 is refused: control characters"),
        ("5", "", "the answer is empty"),
        ("July 4", "July 5", "answer July 5 differs from July 4 (text)"),
        ("5", "x+5", "answer x+5 differs from 5, where x does not cancel (values)"),
    ],
)
async def test_the_explanation_says_what_was_compared_and_how(
    reward: MathReward, gold: str, answer: str, explanation: str
) -> None:
    assert (await grade(reward, gold, answer)).explanation == explanation


@IN_ONE_LOOP
@pytest.mark.parametrize(
    "gold",
    ["", "   ", "####", "\\frac{", "1/0", "9^{9^{9^9}}", "x" * 3000, "5\x00", "1 2 3", "(5", "*"],
)
async def test_an_unusable_gold_is_our_failure_whatever_the_answer(reward: MathReward, gold: str) -> None:
    for answer in ("5", gold):
        with pytest.raises(BadReferenceError, match="math reference"):
            reward.grade(sample(gold), answer)


@IN_ONE_LOOP
@pytest.mark.parametrize("gold", ["\\oint_C x dx", "\\sum_{k \\in S} k", "y''+y=0", "5 or maybe 6"])
async def test_a_gold_in_notation_that_is_not_read_can_only_be_met_by_the_same_string(
    reward: MathReward, gold: str
) -> None:
    assert (await grade(reward, gold, f"$ {gold} $")).verdict is Verdict.CORRECT
    assert (await grade(reward, gold, "")).verdict is Verdict.NO_ANSWER
    assert (await grade(reward, gold, "5\x00")).verdict is Verdict.REJECTED
    with pytest.raises(BadReferenceError, match="only be compared as a string"):
        await grade(reward, gold, "5")


@IN_ONE_LOOP
async def test_a_reference_of_another_type_is_refused(reward: MathReward) -> None:
    wrong = Sample(sample_id="1", reward="math", prompt="", completion="", reference=TextReference())
    with pytest.raises(BadReferenceError):
        reward.grade(wrong, "5")


def test_the_reward_says_what_it_is(reward: MathReward) -> None:
    info = reward.info

    assert (info.name, info.version, info.reference) == ("math", "1.0.0", MathReference)
    assert (info.measure, info.cost_class, info.deterministic) == (
        Measure.CORRECTNESS,
        CostClass.WORKER,
        True,
    )


@IN_ONE_LOOP
async def test_an_answer_that_eats_the_budget_is_a_time_limit_and_the_next_one_is_graded(
    reward: MathReward,
) -> None:
    slow = await grade(reward, "(-2,2)", "x^2<4 and x^{60}-7x^{31}+x^{13}-x<10^{30}")
    after = await grade(reward, *NEEDS_ALGEBRA)

    assert (slow.value, slow.verdict) == (0.0, Verdict.TIME_LIMIT)
    assert after.verdict is Verdict.CORRECT


@IN_ONE_LOOP
@pytest.mark.parametrize(
    ("gold", "answer"),
    [
        ("x^{60}-7x^{31}+x^{13}-x<10^{30}", "x^{60}-7x^{31}+x^{13}-x<10^{30}+1-1"),
        ("\\sum_{i=1}^{1000}\\sum_{j=1}^{1000}\\sum_{k=1}^{1000} ijk", "7"),
        ("\\prod_{p=2}^{\\infty} \\frac{1}{1-p^{-2.5}}", "7"),
    ],
)
async def test_a_gold_that_eats_the_budget_by_itself_is_our_failure(
    reward: MathReward, gold: str, answer: str
) -> None:
    with pytest.raises(GraderTimeoutError, match="too much work even by itself"):
        await grade(reward, gold, answer)


@IN_ONE_LOOP
@pytest.mark.parametrize(
    ("gold", "answer"),
    [
        ("(-2,2)", "x^2<5"),
        ("(-2,2)", "x^{60}-7x^{31}+x^{13}-x<4"),
        ("[1,2]\\cup[2,3]", "[1,4]"),
        ("(-\\infty,0)\\cup(1,\\infty)", "x(x-1)<0"),
        ("y=2x+3", "y^2=4x^2+9"),
    ],
)
async def test_a_wrong_set_or_equation_is_found_out_without_a_worker(
    reward: MathReward, gold: str, answer: str
) -> None:
    found = reward.grade(sample(gold), answer)

    assert isinstance(found, Grade)
    assert found.verdict is Verdict.INCORRECT


TOO_MUCH_FOR_THE_SERVER = (
    "+".join(["9^{20000}/7^{20000}"] * 30),
    "\\gcd(" + ",".join(["7^{20000}", "11^{18000}"] * 15) + ")",
    "+".join(["3000!"] * 60),
    "(7^{20001})^{1/3}" + "+(7^{20001})^{1/3}" * 30,
    "+".join(f"\\sin(x+{number})" for number in range(60)),
)


@IN_ONE_LOOP
@pytest.mark.parametrize("answer", TOO_MUCH_FOR_THE_SERVER, ids=lambda answer: answer[:12])
async def test_what_would_hold_the_event_loop_is_left_to_a_worker(reward: MathReward, answer: str) -> None:
    started = time.process_time()
    found = reward.grade(sample("x^2+1"), answer)
    inline_seconds = time.process_time() - started

    assert isinstance(found, Awaitable)
    assert inline_seconds < 0.1  # 2 ms are meant
    assert (await found).value == 0.0


# No layer before computer algebra merges intervals.
NEEDS_ALGEBRA = ("[1,2]\\cup[2,3]", "[1,3]")


class ScriptedPool(WorkerPool):
    """A pool whose tasks end as the test says, by task name."""

    def __init__(self, endings: dict[str, Exception | object]) -> None:
        super().__init__(TASKS)
        self._endings = endings

    async def run(self, task: str, payload: object, *, cpu_seconds: float) -> object:
        ending = self._endings[task]
        if isinstance(ending, Exception):
            raise ending
        return ending


@IN_ONE_LOOP
@pytest.mark.parametrize(
    ("limit", "verdict"), [(Limit.CPU, Verdict.TIME_LIMIT), (Limit.MEMORY, Verdict.MEMORY_LIMIT)]
)
async def test_an_answer_over_budget_is_the_candidates_doing_if_the_gold_alone_is_fine(
    limit: Limit, verdict: Verdict
) -> None:
    over = WorkerBudgetError("over", limit=limit)
    found = await grade(
        MathReward(ScriptedPool({"math.compare": over, "math.simplify": None})), *NEEDS_ALGEBRA
    )

    assert (found.value, found.verdict) == (0.0, verdict)


@IN_ONE_LOOP
async def test_two_spent_budgets_blame_the_gold() -> None:
    over = WorkerBudgetError("over", limit=Limit.CPU)
    with pytest.raises(GraderTimeoutError, match="too much work even by itself"):
        await grade(MathReward(ScriptedPool({"math.compare": over, "math.simplify": over})), *NEEDS_ALGEBRA)


@IN_ONE_LOOP
async def test_a_lost_worker_is_our_failure() -> None:
    with pytest.raises(GraderLostError):
        await grade(MathReward(ScriptedPool({"math.compare": GraderLostError("died")})), *NEEDS_ALGEBRA)


def test_the_tables_are_large_enough_to_mean_something() -> None:
    assert len(labelled()) >= 1000
    assert len(table("math_hostile.jsonl")) >= 150
