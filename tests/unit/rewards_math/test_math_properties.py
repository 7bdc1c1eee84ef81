"""Properties that hold for any answer: no exception, identity, a changed digit, wrapping."""

import json
import random
import re
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reward_server.api import Grade, MathReference, Sample, Verdict
from reward_server.rewards.math import TASKS, MathReward
from reward_server.workers import WorkerPool

REWARD = MathReward(WorkerPool(TASKS))  # never started: inline verdicts only

PIECES = r"""
0 1 2 9 12 . , ; : ! ? + - * / ^ _ = < > ( ) [ ] { } | % $ & # x y e i pi sin log sqrt and or not
\frac \sqrt \boxed \text \pm \cup \in \infty \left \right \begin \end \\ \{ \} \circ ½ ² ∞ π √ ÷ ≤
"""
SOUP = st.lists(st.sampled_from([*PIECES.split(), " ", "\u200b", "\u202e"]), max_size=40).map("".join)
NUMBERS = st.one_of(
    st.integers(-(10**12), 10**12).map(str),
    st.fractions(max_denominator=10**6).map(str),
    st.decimals(-(10**6), 10**6, places=4).map(str),
)


def grade(gold: str, answer: str) -> Grade | None:
    """Return the grade, or None where the question goes to a worker."""
    found = REWARD.grade(
        Sample(sample_id="1", reward="math", prompt="", completion="", reference=MathReference(answer=gold)),
        answer,
    )
    if isinstance(found, Grade):
        return found
    found.close()  # type: ignore[attr-defined]
    return None


@given(st.one_of(st.text(max_size=200), SOUP))
@settings(max_examples=1500, deadline=None)
def test_no_text_raises(answer: str) -> None:
    found = grade("12345678987654321", answer)

    assert found is None or found.value in (0.0, 1.0)


@given(SOUP)
@settings(max_examples=500, deadline=None)
def test_no_soup_of_symbols_raises_against_an_expression(answer: str) -> None:
    found = grade("x^2+1", answer)

    assert found is None or found.value in (0.0, 1.0)


@given(NUMBERS)
def test_a_number_is_right_against_itself_however_wrapped(number: str) -> None:
    for form in ("{}", "${}$", "\\boxed{{{}}}", "The answer is {}.", "x = {}", " {} "):
        found = grade(number, form.format(number))

        assert found is not None
        assert found.verdict is Verdict.CORRECT, form


@given(NUMBERS, st.data())
def test_a_changed_digit_is_wrong(number: str, data: st.DataObject) -> None:
    places = [index for index, character in enumerate(number) if character.isdigit()]
    place = data.draw(st.sampled_from(places))
    digit = data.draw(st.sampled_from([each for each in "123456789" if each != number[place]]))
    found = grade(number, number[:place] + digit + number[place + 1 :])

    assert found is not None
    assert found.verdict is Verdict.INCORRECT


@given(NUMBERS, NUMBERS)
def test_two_numbers_compare_the_same_both_ways(one: str, other: str) -> None:
    there, back = grade(one, other), grade(other, one)

    assert there is not None
    assert back is not None
    assert there.verdict is back.verdict


def plain_rows() -> list[tuple[str, str]]:
    """Gold and answer of the table's rows that nothing is wrapped around, and that no worker decides."""
    path = Path(__file__).resolve().parents[2] / "cases" / "math_cases.jsonl"
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    wrapped = re.compile(r"[$*#`_]|\\\(|\\\[|boxed|fbox|answer|hope|\\$", re.IGNORECASE)
    found = [(row["gold"], row["answer"]) for row in rows if not wrapped.search(row["answer"])]
    return [pair for pair in found if grade(*pair) is not None]


FORMATS = {
    "in math": lambda text: f"${text}$",
    "in brackets of math": lambda text: f"\\({text}\\)",
    "displayed": lambda text: f"\\[ {text} \\]",
    "boxed": lambda text: f"\\boxed{{{text}}}",
    "boxed twice": lambda text: f"\\boxed{{\\boxed{{{text}}}}}",
    "bold": lambda text: f"**{text}**",
    "after a lead": lambda text: f"The answer is {text}",
    "after a bold lead": lambda text: f"**Final Answer:** {text}",
    "bold after a lead": lambda text: f"The answer is **{text}**",
    "after a connective": lambda text: f"So, {text}",
    "before a hope": lambda text: f"The final answer is {text}. I hope it is correct.",
    "with spaces": lambda text: f"  {text} . ",
    "with other fractions": lambda text: text.replace("\\frac", "\\dfrac"),
    "with thin spaces": lambda text: text.replace("+", "\\,+\\;"),
}


@pytest.mark.parametrize("form", FORMATS)
def test_what_stands_around_an_answer_keeps_its_verdict(form: str) -> None:
    changed = [
        (gold, answer)
        for gold, answer in plain_rows()
        if is_right(grade(gold, FORMATS[form](answer))) != is_right(grade(gold, answer))
    ]

    assert changed == []


def is_right(found: Grade | None) -> bool:
    return found is not None and found.value == 1.0


TERMS = st.sampled_from(
    ["x", "y", "xy", "x^2", "2", "3x", "\\frac{x}{2}", "\\sqrt{5}", "\\pi", "x^2y", "e^x"]
)
SUMS = st.lists(TERMS, min_size=1, max_size=4)


@given(SUMS, st.randoms(use_true_random=False))
@settings(deadline=None)
def test_the_order_of_terms_and_factors_keeps_the_verdict(terms: list[str], shuffler: random.Random) -> None:
    shuffled = shuffler.sample(terms, len(terms))

    assert is_right(grade("+".join(terms), "+".join(shuffled)))
    assert is_right(
        grade("".join(f"({each})" for each in terms), "\\cdot ".join(f"({each})" for each in shuffled))
    )


@given(SUMS, st.integers(2, 99))
@settings(deadline=None)
def test_a_changed_coefficient_is_wrong_and_both_ways(terms: list[str], number: int) -> None:
    one, other = "+".join([*terms, f"{number}x"]), "+".join([*terms, f"{number + 1}x"])

    assert not is_right(grade(one, other))
    assert not is_right(grade(other, one))


@given(SUMS, SUMS)
@settings(deadline=None)
def test_two_expressions_compare_the_same_both_ways(one: list[str], other: list[str]) -> None:
    left, right = "+".join(one), "+".join(other)

    assert is_right(grade(left, right)) == is_right(grade(right, left))


@pytest.mark.parametrize("seed", range(5))
def test_long_noise_is_judged_in_bounded_time(seed: int) -> None:
    noise = random.Random(seed)
    answer = "".join(noise.choices("0123456789+-*/^(){}[]|\\,.x !%", k=2000))
    started = time.process_time()
    grade("5", answer)

    assert time.process_time() - started < 1.0
