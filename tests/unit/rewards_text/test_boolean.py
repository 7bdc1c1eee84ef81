"""The boolean reward: a table of answers, every real StrategyQA row."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reward_server.api import BooleanReference, ChoiceReference, Grade, Sample, Verdict
from reward_server.errors import BadReferenceError
from reward_server.rewards.boolean import BooleanReward

CASES = Path(__file__).parents[2] / "cases"
ROWS: list[dict[str, Any]] = [json.loads(line) for line in (CASES / "boolean.jsonl").read_text().splitlines()]
HOSTILE: list[dict[str, Any]] = [
    json.loads(line) for line in (CASES / "choice_hostile.jsonl").read_text().splitlines()
]


def grade(reference: Any, answer: str) -> Grade:
    sample = Sample(sample_id="1", reward="boolean", prompt="?", completion="", reference=reference)
    return BooleanReward().grade(sample, answer)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row['why']}: {row['answer']!a}")
def test_verdict_is_that_of_the_table(row: dict[str, Any]) -> None:
    result = grade(BooleanReference(value=row["value"]), row["answer"])

    assert result.verdict.value == row["verdict"]
    assert result.value == (1.0 if row["verdict"] == "CORRECT" else 0.0)
    assert result.explanation


@pytest.mark.parametrize("row", HOSTILE, ids=lambda row: row["why"])
@pytest.mark.parametrize("value", [True, False])
def test_a_hostile_answer_is_worth_nothing(row: dict[str, Any], value: bool) -> None:
    assert grade(BooleanReference(value=value), row["answer"] * row["repeat"]).value == 0.0


@pytest.mark.parametrize("reference", [None, ChoiceReference(labels=("A",), texts=("x",), correct_label="A")])
def test_a_reference_of_another_type_is_a_failure(reference: Any) -> None:
    with pytest.raises(BadReferenceError, match="takes a BooleanReference"):
        grade(reference, "yes")


@given(
    st.text(max_size=80) | st.lists(st.sampled_from(["yes", "no", "not", "true", "x", ", "])).map(" ".join)
)
def test_no_text_is_right_for_both_answers(answer: str) -> None:
    values = [grade(BooleanReference(value=value), answer).value for value in (True, False)]

    assert values != [1.0, 1.0]


@pytest.mark.data
def test_every_real_strategyqa_row_takes_its_answer_and_refuses_the_other(data_dir: Path) -> None:
    rows = 0
    for path in sorted(data_dir.glob("strategyqa/*.jsonl")):
        for line in path.read_text(encoding="utf-8").split("\n")[:-1]:
            row = json.loads(line)
            reference = BooleanReference(value=row["answer"])
            right, wrong = ("yes", "no") if row["answer"] else ("no", "yes")

            assert grade(reference, right).verdict is Verdict.CORRECT
            assert grade(reference, f"{right.title()}.").verdict is Verdict.CORRECT
            assert grade(reference, wrong).verdict is Verdict.INCORRECT
            rows += 1

    assert rows > 2_000
