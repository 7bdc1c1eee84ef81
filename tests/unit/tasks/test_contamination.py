"""Which training rows count as repeats of held-out rows."""

import json
from pathlib import Path

import pytest

from tasks.api import Example, Split
from tasks.contamination import drop_contaminated
from tasks.datasets import DATASETS, read_rows

CASES = Path(__file__).parents[2] / "cases" / "tasks_contamination.jsonl"
PAIRS = [json.loads(line) for line in CASES.read_text(encoding="utf-8").splitlines()]


def _example(dataset: str, row: dict[str, object], split: Split) -> Example:
    return read_rows(DATASETS[dataset], split, [row])[0][0]


@pytest.mark.parametrize("case", PAIRS, ids=lambda case: case["why"])
def test_a_training_row_is_dropped_exactly_when_it_repeats_a_held_out_one(case: dict[str, object]) -> None:
    name = str(case["dataset"])
    train, held_out = _example(name, case["train"], Split.TRAIN), _example(name, case["held_out"], Split.TEST)

    screened = drop_contaminated([train], [held_out])

    assert (screened.dropped == (train,), screened.kept == (train,)) == (case["repeats"], not case["repeats"])


def test_order_is_kept_and_nothing_is_lost() -> None:
    rows = [{"question": f"how much is {n}?", "answer": f"#### {n}"} for n in range(5)]
    train, _ = read_rows(DATASETS["gsm8k"], Split.TRAIN, rows)
    held_out, _ = read_rows(DATASETS["gsm8k"], Split.TEST, [rows[1], rows[3]])

    kept, dropped = drop_contaminated(train, held_out)

    assert [train.index(e) for e in kept] == [0, 2, 4]
    assert [train.index(e) for e in dropped] == [1, 3]
