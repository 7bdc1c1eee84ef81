"""Writing, ideation and summary: honest texts beat the same texts degraded, and nothing breaks the scale."""

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reward_server.api import BooleanReference, Grade, Sample, TextReference, Verdict
from reward_server.errors import BadReferenceError
from reward_server.rewards.ideation import IdeationReward
from reward_server.rewards.quality import LONGEST_TEXT, MOST_WORDS
from reward_server.rewards.summary import SummaryReward
from reward_server.rewards.writing import WritingReward

CASES = Path(__file__).parents[2] / "cases"
PAIRS: list[dict[str, Any]] = [
    json.loads(line) for line in (CASES / "text_pairs.jsonl").read_text().splitlines()
]
HONEST: list[dict[str, Any]] = [
    json.loads(line) for line in (CASES / "writing_honest.jsonl").read_text().splitlines()
]
REWARDS = {"writing": WritingReward(), "ideation": IdeationReward(), "summary": SummaryReward()}
DOCUMENT = "The old bridge was closed on Monday after cracks were found. Repairs begin in spring."


def grade(row: dict[str, Any], answer: str) -> Grade:
    reference = TextReference(reference=row["reference"], source=row["source"])
    sample = Sample(
        sample_id="1", reward=row["reward"], prompt=row["prompt"], completion="", reference=reference
    )
    return REWARDS[row["reward"]].grade(sample, answer)


def row_for(reward: str, prompt: str = "Write about the old bridge in spring.") -> dict[str, Any]:
    return {"reward": reward, "prompt": prompt, "reference": "The bridge is closed.", "source": DOCUMENT}


@pytest.mark.parametrize("row", PAIRS, ids=lambda row: f"{row['reward']} {row['exploit']}")
def test_honest_text_beats_the_degraded_and_worse_never_rises(row: dict[str, Any]) -> None:
    honest, degraded, worse = (grade(row, row[which]).value for which in ("honest", "degraded", "worse"))

    assert honest > degraded >= worse, row["why"]


def test_the_table_covers_every_reward_and_exploit() -> None:
    covered = {(row["reward"], row["exploit"]) for row in PAIRS}
    everywhere = {
        "repetition", "keyword stuffing", "prompt echo", "padding", "word salad", "rare-word salad",
        "emoji wall", "other-language filler", "filler tokens",
    }  # fmt: skip

    assert {(reward, exploit) for reward in REWARDS for exploit in everywhere} <= covered
    assert ("summary", "copied source") in covered


@pytest.mark.parametrize("row", HONEST, ids=lambda row: row["why"])
def test_honest_text_of_any_kind_earns_its_share(row: dict[str, Any]) -> None:
    result = grade(row, row["answer"])

    assert result.verdict is Verdict.QUALITY
    assert result.value >= row["at_least"], result.explanation


@pytest.mark.parametrize(
    "row", [row for row in PAIRS if row["exploit"] == "word salad"], ids=lambda r: r["reward"]
)
def test_longer_prefixes_of_an_honest_text_never_earn_less_by_length(row: dict[str, Any]) -> None:
    words = row["honest"].split(" ")
    prefixes = [" ".join(words[:count]) for count in range(5, len(words), 5)]

    lengths = [grade(row, prefix).components["length"] for prefix in prefixes]

    assert lengths == sorted(lengths)


@pytest.mark.parametrize("row", PAIRS[::7], ids=lambda row: row["exploit"])
def test_each_further_copy_of_the_text_earns_no_more(row: dict[str, Any]) -> None:
    values = [grade(row, " ".join([row["honest"]] * copies)).value for copies in range(1, 6)]

    assert values == sorted(values, reverse=True)


@pytest.mark.parametrize("reward", REWARDS)
@pytest.mark.parametrize("answer", ["", "...", "\U0001f600\U0001f600", "\u200b", "!?!"])
def test_text_without_a_word_is_no_answer(reward: str, answer: str) -> None:
    result = grade(row_for(reward), answer)

    assert result.verdict is Verdict.NO_ANSWER
    assert result.value == 0.0


@pytest.mark.parametrize("reward", REWARDS)
@pytest.mark.parametrize(
    ("answer", "limit"), [("word " * LONGEST_TEXT, LONGEST_TEXT), ("so it is " * 700, MOST_WORDS)]
)
def test_text_beyond_a_limit_earns_nothing_and_says_so(reward: str, answer: str, limit: int) -> None:
    result = grade(row_for(reward), answer)

    assert result.value == 0.0
    assert f"{limit} are the most" in result.explanation


@pytest.mark.parametrize("reward", REWARDS)
@pytest.mark.parametrize("prompt", ["", "?", "Write.", "写一个故事", "a" * 30_000])
@given(answer=st.text(max_size=120) | st.text(alphabet="ab .\n-1é写\u093f\u0e01<>", max_size=120))
def test_any_text_has_a_quality_on_the_scale(reward: str, prompt: str, answer: str) -> None:
    result = grade(row_for(reward, prompt), answer)

    for number in (result.value, *result.components.values()):
        assert math.isfinite(number)
        assert 0.0 <= number <= 1.0
    assert result.explanation


@pytest.mark.parametrize("reward", REWARDS)
def test_grading_twice_gives_the_same_grade(reward: str) -> None:
    answer = "The bridge over the river was closed in spring, and the town went round by boat."

    assert grade(row_for(reward), answer) == grade(row_for(reward), answer)


@pytest.mark.parametrize("reference", ["", "   ", "..."])
def test_a_summary_without_a_reference_is_a_failure(reference: str) -> None:
    row = row_for("summary") | {"reference": reference}

    with pytest.raises(BadReferenceError, match=r"text\.reference"):
        grade(row, "The bridge is closed.")


@pytest.mark.parametrize("reward", REWARDS.values(), ids=REWARDS)
def test_a_reference_of_another_type_is_a_failure(reward: Any) -> None:
    sample = Sample(
        sample_id="1", reward="x", prompt="", completion="", reference=BooleanReference(value=True)
    )

    with pytest.raises(BadReferenceError, match="takes a TextReference"):
        reward.grade(sample, "text")


def test_a_summary_without_a_document_is_compared_with_the_prompt() -> None:
    row = row_for("summary", prompt=f"Summarize: {DOCUMENT}") | {"source": ""}

    assert grade(row, DOCUMENT).components["own_words"] < 0.2


def test_copying_is_free_as_far_as_the_reference_itself_copies() -> None:
    lead = DOCUMENT.split(". ", maxsplit=1)[0] + "."
    extractive = row_for("summary") | {"reference": lead}

    assert grade(extractive, lead).value == 1.0
    assert grade(row_for("summary"), lead).components["own_words"] < 0.2


def test_a_list_inside_prose_costs_much_but_not_all() -> None:
    recipe = (
        "I made the soup that my aunt used to make. It needs onions, carrots, celery, garlic, thyme, "
        "parsley, barley, lentils, pepper, salt, butter, cream, stock, leeks. You cook it for an hour."
    )
    row = row_for("writing", prompt="Write about a soup that you like.")

    assert 0.0 < grade(row, recipe).value < 0.3


def test_system_text_in_the_completion_does_not_count_as_relevance() -> None:
    """Relevance is to the user's own question: words of an instruction around it earn nothing."""
    row = row_for("writing", prompt="Write a story about penguins.")
    echo = (
        "Please write a story. Think first, then give the answer between the tags, in the format asked for."
    )

    assert grade(row, echo).components["relevance"] == 0.5


@pytest.mark.parametrize("measure", [lambda g: g.components["rouge_1"], lambda g: g.components["rouge_l"]])
def test_the_reference_itself_has_full_rouge(measure: Callable[[Grade], float]) -> None:
    assert measure(grade(row_for("summary"), "The bridge is closed.")) == 1.0


def test_a_summary_reward_that_remembers_references_grades_as_a_fresh_one() -> None:
    """Each of three differs from another in one part only: reference, document, or prompt for a document."""
    base = row_for("summary")
    rows = [base, base | {"reference": "Repairs begin in spring."}, base | {"source": ""}] * 2

    remembered = [grade(row, "Cracks were found, so the bridge is closed on Monday.") for row in rows]

    for row, found in zip(rows, remembered, strict=True):
        reference = TextReference(reference=row["reference"], source=row["source"])
        sample = Sample(
            sample_id="1", reward="summary", prompt=row["prompt"], completion="", reference=reference
        )
        assert found == SummaryReward().grade(sample, "Cracks were found, so the bridge is closed on Monday.")
    assert len({found.value for found in remembered}) == 3
