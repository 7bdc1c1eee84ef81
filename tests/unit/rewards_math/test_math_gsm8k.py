"""Every real GSM8K reference, against itself, its natural forms and changed numbers.

The pool is never started: an answer that went to a worker would not be a `Grade`.
"""

import json
from pathlib import Path

import pytest

from reward_server.api import Grade, MathReference, Sample, Verdict
from reward_server.rewards.math import TASKS, MathReward
from reward_server.workers import WorkerPool

pytestmark = pytest.mark.data

NATURAL_FORMS = (
    "{n}", "#### {n}", "${n}", "{n} dollars", "\\boxed{{{n}}}", "$\\boxed{{{n}}}$", "**{n}**", "{n}.",
    "The answer is {n}.", "{n} apples in total", "x = {n}", " {n}\n",
)  # fmt: skip
WRONG_FORMS = ("{n} or 7", "not {n}", "1{n}", "{n}5", "\\boxed{{9{n}}} \\boxed{{{n}}}", "{n} - 1", "0, {n}")


@pytest.fixture(scope="module")
def references(data_dir: Path) -> list[str]:
    files = [data_dir / "gsm8k" / f"{split}.jsonl" for split in ("train", "test")]
    return [json.loads(line)["answer"] for file in files for line in file.read_text().splitlines()]


@pytest.fixture(scope="module")
def reward() -> MathReward:
    return MathReward(WorkerPool(TASKS))


def number(reference: str) -> str:
    return reference.rpartition("#### ")[2].strip()


def verdict(reward: MathReward, reference: str, answer: str) -> Verdict:
    sample = Sample(
        sample_id="1", reward="math", prompt="", completion="", reference=MathReference(answer=reference)
    )
    found = reward.grade(sample, answer)
    assert isinstance(found, Grade), f"{answer!r} went to a worker"
    return found.verdict


@pytest.mark.parametrize("form", NATURAL_FORMS)
def test_every_reference_is_right_in_its_natural_forms(
    reward: MathReward, references: list[str], form: str
) -> None:
    answers = [(each, form.format(n=number(each))) for each in references]
    wrong = [pair for pair in answers if verdict(reward, *pair) is not Verdict.CORRECT]

    assert wrong == []


@pytest.mark.parametrize("spelling", ["{:,}", "{}", "{}.00", "${:,}.00", "{:.1e}"])
def test_every_whole_reference_is_right_in_other_spellings_of_its_value(
    reward: MathReward, references: list[str], spelling: str
) -> None:
    values = {int(number(each).replace(",", "")) for each in references if "." not in number(each)}
    exact = [value for value in values if spelling != "{:.1e}" or value == float(spelling.format(value))]
    wrong = [
        value for value in exact if verdict(reward, str(value), spelling.format(value)) is not Verdict.CORRECT
    ]

    assert wrong == []


@pytest.mark.parametrize("form", WRONG_FORMS)
def test_every_reference_is_wrong_when_changed_or_hedged(
    reward: MathReward, references: list[str], form: str
) -> None:
    answers = [(each, form.format(n=number(each))) for each in references]
    wrong = [pair for pair in answers if verdict(reward, *pair) is not Verdict.INCORRECT]

    assert wrong == []


def test_the_working_of_a_reference_never_counts_as_its_answer(
    reward: MathReward, references: list[str]
) -> None:
    working = [(each, each.rpartition("####")[0].strip()) for each in references]
    right = [pair for pair in working if verdict(reward, *pair) is Verdict.CORRECT]

    assert right == []
