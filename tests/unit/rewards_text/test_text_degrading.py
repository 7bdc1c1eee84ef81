"""Honest texts of many kinds, spoilt step by step by every known exploit: no step may pay."""

import json
import random
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from reward_server.api import Sample, TextReference
from reward_server.rewards.ideation import IdeationReward
from reward_server.rewards.summary import SummaryReward
from reward_server.rewards.writing import WritingReward
from tests.unit.rewards_text.degrading import GROWING, REPLACING, STEPS

CASES = Path(__file__).parents[2] / "cases"
TEXTS: list[dict[str, Any]] = [
    json.loads(line) for line in (CASES / "text_honest.jsonl").read_text(encoding="utf-8").splitlines()
]
REWARDS = {"writing": WritingReward(), "ideation": IdeationReward(), "summary": SummaryReward()}

# Far below the honest score a share of the text may round the other way.
TINY = 0.01


def value(row: dict[str, Any], answer: str) -> float:
    reference = TextReference(reference=row["reference"], source=row["source"])
    sample = Sample(
        sample_id="1", reward=row["reward"], prompt=row["prompt"], completion="", reference=reference
    )
    return REWARDS[row["reward"]].grade(sample, answer).value


@pytest.mark.parametrize("row", TEXTS, ids=lambda row: row["why"])
def test_an_honest_text_of_any_style_earns_its_share(row: dict[str, Any]) -> None:
    assert value(row, row["answer"]) >= row["at_least"]


@pytest.mark.parametrize("exploit", GROWING)
@pytest.mark.parametrize("row", TEXTS, ids=lambda row: row["why"])
def test_adding_junk_never_pays_at_any_step(row: dict[str, Any], exploit: str) -> None:
    steps = [GROWING[exploit](row, step, random.Random(7)) for step in range(1, STEPS + 1)]

    values = [value(row, text) for text in (row["answer"], *steps)]

    assert max(values) == values[0]
    assert all(after <= before + TINY for before, after in pairwise(values))
    assert values[-1] < 0.95 * values[0]


@pytest.mark.parametrize("exploit", REPLACING)
@pytest.mark.parametrize("row", TEXTS, ids=lambda row: row["why"])
def test_replacing_an_honest_text_by_junk_never_pays(row: dict[str, Any], exploit: str) -> None:
    steps = [REPLACING[exploit](row, step, random.Random(7)) for step in range(1, STEPS + 1)]

    values = [value(row, text) for text in (row["answer"], *steps)]

    assert max(values) == values[0]
    assert values[-1] < 0.7 * values[0]


@pytest.mark.parametrize("row", [row for row in TEXTS if row["reward"] == "summary"], ids=lambda r: r["why"])
def test_each_further_sentence_copied_from_the_document_costs(row: dict[str, Any]) -> None:
    copied = row["source"].split(". ")

    values = [value(row, " ".join([row["answer"], *copied[:count]])) for count in (0, 2, 4, 6, 8)]

    assert values == sorted(values, reverse=True)
    assert values[-1] < 0.2 * values[0]
