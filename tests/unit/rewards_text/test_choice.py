"""The choice reward: a table of answers, references that make no question, every real ARC row."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reward_server.api import BooleanReference, ChoiceReference, Grade, Sample, Verdict
from reward_server.errors import BadReferenceError
from reward_server.rewards.choice import ChoiceReward

CASES = Path(__file__).parents[2] / "cases"
ROWS: list[dict[str, Any]] = [json.loads(line) for line in (CASES / "choice.jsonl").read_text().splitlines()]
HOSTILE: list[dict[str, Any]] = [
    json.loads(line) for line in (CASES / "choice_hostile.jsonl").read_text().splitlines()
]
ANIMALS = ChoiceReference(
    labels=("A", "B", "C", "D"), texts=("wolf", "owl", "bat", "frog"), correct_label="B"
)


def grade(reference: Any, answer: str) -> Grade:
    sample = Sample(sample_id="1", reward="choice", prompt="?", completion="", reference=reference)
    return ChoiceReward().grade(sample, answer)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row['why']}: {row['answer']!a}")
def test_verdict_is_that_of_the_table(row: dict[str, Any]) -> None:
    reference = ChoiceReference(
        labels=tuple(row["labels"]), texts=tuple(row["texts"]), correct_label=row["correct"]
    )

    result = grade(reference, row["answer"])

    assert result.verdict.value == row["verdict"]
    assert result.value == (1.0 if row["verdict"] == "CORRECT" else 0.0)
    assert result.explanation


@pytest.mark.parametrize("row", HOSTILE, ids=lambda row: row["why"])
def test_a_hostile_answer_is_worth_nothing(row: dict[str, Any]) -> None:
    assert grade(ANIMALS, row["answer"] * row["repeat"]).value == 0.0


@pytest.mark.parametrize(
    ("labels", "texts", "correct", "field"),
    [
        ((), (), "A", "choice.labels"),
        (("A",), ("owl",), "A", "choice.labels"),
        (("A", "A"), ("owl", "bat"), "A", "choice.labels"),
        (("A", "a"), ("owl", "bat"), "A", "choice.labels"),
        (("A", ""), ("owl", "bat"), "A", r"choice.labels\[1\]"),
        (("A", "B"), ("owl",), "A", "choice.texts"),
        (("A", "B"), ("owl", " "), "A", r"choice.texts\[1\]"),
        (("A", "B"), ("owl", "bat"), "C", "choice.correct_label"),
        (("A", "B"), ("owl", "bat"), "", "choice.correct_label"),
    ],
)
def test_a_reference_that_makes_no_question_is_a_failure_that_names_its_field(
    labels: tuple[str, ...], texts: tuple[str, ...], correct: str, field: str
) -> None:
    with pytest.raises(BadReferenceError, match=field):
        grade(ChoiceReference(labels=labels, texts=texts, correct_label=correct), "A")


@pytest.mark.parametrize("reference", [None, BooleanReference(value=True)])
def test_a_reference_of_another_type_is_a_failure(reference: Any) -> None:
    with pytest.raises(BadReferenceError, match="takes a ChoiceReference"):
        grade(reference, "A")


@given(st.text(max_size=80) | st.text(alphabet="ABCD()*. owl\\{}$-1,:\u200b", max_size=40))
def test_any_text_has_a_verdict_and_at_most_one_option(answer: str) -> None:
    right = [
        label
        for label in ANIMALS.labels
        if grade(
            ChoiceReference(labels=ANIMALS.labels, texts=ANIMALS.texts, correct_label=label), answer
        ).verdict
        is Verdict.CORRECT
    ]

    assert len(right) <= 1


@pytest.mark.data
def test_every_real_arc_row_takes_its_label_and_its_text_and_refuses_the_others(data_dir: Path) -> None:
    wrong_verdicts: list[tuple[str, str]] = []
    rows = 0
    for path in sorted(data_dir.glob("arc_*/*.jsonl")):
        for line in path.read_text(encoding="utf-8").split("\n")[:-1]:
            row = json.loads(line)
            rows += 1
            wrong_verdicts += [(row["id"], answer) for answer in misjudged(row)]

    assert rows > 7_000
    assert wrong_verdicts == []


def misjudged(row: dict[str, Any]) -> list[str]:
    """Return the natural forms of this row's options that get the wrong verdict."""
    labels, texts, key = row["choices"]["label"], row["choices"]["text"], row["answerKey"]
    reference = ChoiceReference(labels=tuple(labels), texts=tuple(texts), correct_label=key)
    bad: list[str] = []
    for label, text in zip(labels, texts, strict=True):
        wanted = Verdict.CORRECT if label == key else Verdict.INCORRECT
        forms = [label, text]
        if label == key:
            forms += [f"({label})", f"{label}. {text}", f"**{label})** {text}", f"{text} ({label})"]
        if text in labels:
            forms.remove(text)  # a text that is also a label is read as the label
        bad += [form for form in forms if grade(reference, form).verdict is not wanted]
    return bad
