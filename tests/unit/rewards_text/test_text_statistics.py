"""The measures one by one: what each must notice and what it must leave alone."""

import json
import random
from pathlib import Path

import pytest

from reward_server.rewards import text_statistics as statistics
from reward_server.rewards.faithfulness import faithful
from reward_server.rewards.text_words import is_english, words

STORY = (
    "The baker swept his step before dawn and laughed when the snow filled it behind him. Nobody in the town "
    "said so, but all of them slept better that night, as if someone had pulled a blanket over the mountain."
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Don't stop_now 3.5", ["don", "t", "stop", "now", "3", "5"]),
        ("Größe café", ["grösse", "café"]),
        ("हिन्दी में", ["हिन्दी", "में"]),
        ("写故事", ["写", "故", "事"]),
        ("ひらがな ok", ["ひ", "ら", "が", "な", "ok"]),
        ("한국어 문장", ["한국어", "문장"]),
        ("สวัสดี", ["สวัส", "ดี"]),
        ("\U0001f600 -- !", []),
    ],
)
def test_words_of_any_script_are_found(text: str, expected: list[str]) -> None:
    assert words(text) == expected


@pytest.mark.parametrize(
    ("prompt", "english"),
    [
        ("Write a story", True),
        ("birthday party ideas", True),
        ("Escribe un cuento", False),
        ("写一个故事", False),
        ("", False),
        ("Der alte Mann und das Meer waren an diesem Morgen sehr still", False),
    ],
)
def test_english_prompts_are_told_by_their_small_words(prompt: str, english: bool) -> None:
    assert is_english(words(prompt)) is english


@pytest.mark.parametrize(
    ("value", "expected"), [(0, 0.0), (40, 0.5), (80, 1.0), (400, 1.0), (1000, 0.5), (1600, 0.0), (9999, 0.0)]
)
def test_length_band_is_a_trapezoid(value: float, expected: float) -> None:
    assert statistics.band(value, full_from=80, full_to=400, zero_at=1600) == expected


def test_repeats_and_copies_add_no_length() -> None:
    said = words(STORY)

    assert statistics.fresh_length(said, []) == len(said)
    assert statistics.fresh_length(said + said, []) <= len(said) + 2
    assert statistics.fresh_length(said, said) == 2


def test_the_end_of_a_run_of_content_words_adds_no_length() -> None:
    junk = "obfuscate perspicacious defenestrate antediluvian quixotic crepuscular mellifluous lugubrious"
    text = f"{STORY} {junk}"

    runs = statistics.content_runs(words(text))

    assert max(runs) >= 8
    assert statistics.fresh_length(words(text), [], runs) <= len(words(STORY)) + 5


def test_freshness_sees_loops_at_every_distance() -> None:
    assert statistics.freshness(STORY, words(STORY)) == 1.0
    for loop in ("so ", "very very ", "and then he ran ", STORY + " "):
        text = loop * 8
        assert statistics.freshness(text, words(text)) == 0.0


def test_not_stuffed_leaves_short_texts_alone() -> None:
    assert statistics.not_stuffed(words("The fox kept the clock."), frozenset({"fox", "clock"})) == 1.0


@pytest.mark.data
def test_real_english_passes_the_fluency_check_and_most_of_it_shuffled_does_not(data_dir: Path) -> None:
    lines = (data_dir / "gsm8k" / "test.jsonl").read_text(encoding="utf-8").split("\n")[:-1]
    questions = [json.loads(line)["question"] for line in lines]
    order = random.Random(0)

    mixed = [" ".join(order.sample(words(text), len(words(text)))) for text in questions]

    honest, shuffled = (
        [
            statistics.fluency(t, words(t), statistics.content_runs(words(t)), function_share=0.2)
            for t in texts
        ]
        for texts in (questions, mixed)
    )

    assert sum(score < 0.5 for score in honest) < 0.02 * len(honest)
    assert sum(score < 0.5 for score in shuffled) > 0.5 * len(shuffled)


@pytest.mark.parametrize(
    ("summary", "value"),
    [
        ("The bridge costs 40 euros and 1,250 people use it.", 1.0),
        ("The bridge costs 41 euros.", 1 - 1 / 3),
        ("About 4.2 million people, led by Harlan, use it.", 1.0),
        ("Then, on Monday, Wexler came.", 1 - 0.5 / 3),
        ("Wexler opens this sentence, so it is no evidence.", 1.0),
        ("1 2 3 5 6 7 8 9", 0.1),
        ("No number, no name.", 1.0),
    ],
)
def test_numbers_and_names_that_the_document_does_not_have_cost_their_share(
    summary: str, value: float
) -> None:
    given = "On Monday Ms. Harlan said that 1,250 of 4,215,000 people pay 40 euros."

    assert faithful(summary, given, given.lower().replace(".", "").split()) == pytest.approx(value)


def test_sentences_of_one_length_have_less_rhythm_than_prose() -> None:
    template = "The cat sat down. The dog lay down. The cow fell down. The hen ran off. "
    prose = "It rained. Nobody in the village had seen so much water since the spring of that year. We left. "

    assert statistics.rhythm(template * 2) == 0.5
    assert statistics.rhythm(prose * 2) == 1.0
    assert statistics.rhythm("Only one sentence.") == 0.75
