"""The measures one by one: what each must notice and what it must leave alone."""

import hashlib
import json
import random
from itertools import pairwise
from pathlib import Path

import pytest

from reward_server.rewards import skeletons
from reward_server.rewards import text_statistics as statistics
from reward_server.rewards.faithfulness import faithful, mentions_in
from reward_server.rewards.scales import band
from reward_server.rewards.skeletons import grammar, skeleton_of, templates, tokens_of
from reward_server.rewards.stock import stock_length
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
    assert band(value, full_from=80, full_to=400, zero_at=1600) == expected


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
    assert statistics.not_stuffed(["fox", "kept", "clock"], frozenset({"fox", "clock"})) == 1.0


def skeleton(text: str) -> bytes:
    return skeleton_of(tokens_of(text))


@pytest.mark.data
def test_real_english_has_a_known_skeleton_and_the_same_words_shuffled_have_not(data_dir: Path) -> None:
    lines = (data_dir / "gsm8k" / "test.jsonl").read_text(encoding="utf-8").split("\n")[:-1]
    questions = [json.loads(line)["question"] for line in lines]
    order = random.Random(0)
    mixed = [" ".join(order.sample(words(text), len(words(text)))) for text in questions]

    honest, shuffled = ([grammar(skeleton(text)) for text in texts] for texts in (questions, mixed))

    assert sum(score < 0.8 for score in honest) < 0.02 * len(honest)
    assert sum(score > 0.5 for score in shuffled) < 0.1 * len(shuffled)


def test_contractions_and_curly_quotes_leave_the_skeleton_as_it_is() -> None:
    plain = skeleton("She did see the owner at the door.")

    assert skeleton("She didn't see the owner's at the door.") == plain
    assert skeleton("She didn\u2019t see the owner\u2019s at the door.") == plain


def test_letters_that_fold_to_letters_and_accents_are_not_counted_without_end() -> None:
    assert len(words("\u0130" * 19_000)) == 1
    assert len(tokens_of("\u0130" * 19_000)) == 6_000


def test_sentences_from_one_mould_repeat_their_skeleton_and_prose_does_not() -> None:
    nouns = [
        "river",
        "table",
        "letter",
        "engine",
        "shadow",
        "window",
        "mirror",
        "bottle",
        "lantern",
        "basket",
    ]
    mould = " ".join(f"The {one} was in the {other} of a friend." for one, other in pairwise(nouns))

    assert templates(skeleton(mould), free=0.1) == 0.0
    assert templates(skeleton(STORY), free=0.1) == 1.0
    assert (
        templates(skeleton("Bake a cake for the party. Sing a song for the day. Play a game."), free=0.1)
        == 1.0
    )
    assert templates(skeleton("onions, carrots, celery, " * 20), free=0.1) == 1.0


def test_the_version_of_the_rewards_depends_on_the_table_of_skeletons() -> None:
    table = Path(skeletons.__file__).with_suffix(".bin").read_bytes()

    assert hashlib.sha256(table).hexdigest() == skeletons.TABLE_SHA256


@pytest.mark.parametrize(
    ("text", "length"),
    [
        ("It is important to note that there are many aspects to consider.", 12),
        ("The characters are vivid and the ending is surprising.", 9),
        ("This essay will discuss several points. The owl slept.", 6),
        ("That being said, one may well think so all the same.", 11),
        ("He thought about it for a long time and took the boat.", 0),
        ("An important point about cellos is that the strings stretch.", 0),
        ("Why not?", 0),
        ("", 0),
    ],
)
def test_only_sentences_without_a_subject_are_stock(text: str, length: int) -> None:
    assert stock_length(tokens_of(text)) == length


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

    mentions = mentions_in(given, given.lower().replace(".", "").split())
    assert faithful(summary, mentions) == pytest.approx(value)
