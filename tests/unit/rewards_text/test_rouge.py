"""ROUGE equals the `rouge-score` package, and the bit-parallel subsequence equals the table."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rouge_score.rouge_scorer import RougeScorer

from reward_server.rewards.rouge import Rouge
from reward_server.rewards.text_words import words

PIECES = ("the", "cat", "sat", "on", "a", "mat,", "and", "it's", "3.5", "Cats-and_dogs", "THE", "end.")
TEXTS = st.lists(st.sampled_from(PIECES), max_size=40)
WORDS = st.lists(st.sampled_from("abcdef"), max_size=30)


@given(TEXTS.map(" ".join), TEXTS.map(" ".join))
def test_scores_equal_the_rouge_score_package(candidate: str, reference: str) -> None:
    theirs = RougeScorer(["rouge1", "rougeL"], use_stemmer=False).score(reference, candidate)

    ours = Rouge(words(reference))
    assert ours.rouge_1(words(candidate)) == pytest.approx(theirs["rouge1"].fmeasure)
    assert ours.rouge_l(words(candidate)) == pytest.approx(theirs["rougeL"].fmeasure)


@given(WORDS, WORDS)
def test_subsequence_on_bits_equals_the_table(left: list[str], right: list[str]) -> None:
    assert subsequence(left, right) == table(left, right)


@given(WORDS, WORDS)
def test_subsequence_is_symmetric(left: list[str], right: list[str]) -> None:
    assert subsequence(left, right) == subsequence(right, left)


def test_texts_longer_than_a_machine_word_are_compared_whole() -> None:
    left = [str(number) for number in range(500)]

    assert subsequence(left, left[::2]) == 250
    assert subsequence(left, left[::-1]) == 1


def test_empty_texts_share_nothing() -> None:
    assert Rouge([]).rouge_1([]) == Rouge(["a"]).rouge_l([]) == 0.0


def subsequence(left: list[str], right: list[str]) -> int:
    return Rouge(right).longest_common_subsequence(left)


def table(left: list[str], right: list[str]) -> int:
    row = [0] * (len(right) + 1)
    for a in left:
        before = row
        row = [0]
        for place, b in enumerate(right):
            row.append(before[place] + 1 if a == b else max(row[-1], before[place + 1]))
    return row[-1]
