"""Properties that hold for any answer: no exception, identity, a changed digit, wrapping."""

import random
import time

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


@pytest.mark.parametrize("seed", range(5))
def test_long_noise_is_judged_in_bounded_time(seed: int) -> None:
    noise = random.Random(seed)
    answer = "".join(noise.choices("0123456789+-*/^(){}[]|\\,.x !%", k=2000))
    started = time.process_time()
    grade("5", answer)

    assert time.process_time() - started < 1.0
