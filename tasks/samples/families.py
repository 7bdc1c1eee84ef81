"""One stream of candidate rows per data set: templates over the lexicon, under the hub's column names.

Every stream is a pure function of its random generator and never ends; `generate` takes
as many different rows as it needs. The skill behind a row (a sum, a category, a size) is
meant to be seen in training; the sentence that asks for it in a test row is not.
"""

import operator
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import cycle, product
from random import Random
from typing import Any

from tasks.samples import lexicon as words

SampleRow = Mapping[str, object]
_LABELS = ("A", "B", "C", "D")


def _article(noun: str) -> str:
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"


def gsm8k(rng: Random) -> Iterator[SampleRow]:
    """One-step sums: 25 additions up to 10 and 20 subtractions down to 0, each asked in many ways."""
    facts = [("+", a, b) for a, b in product(range(1, 6), range(1, 6))]
    facts += [("-", a, b) for a in range(1, 7) for b in range(1, min(a, 5) + 1)]
    rng.shuffle(facts)
    for sign, a, b in cycle(facts):
        name, things = rng.choice(words.NAMES), rng.choice(words.OBJECTS)
        if sign == "+":
            change, end, result = f"{rng.choice(words.GAINS)} {b} more", "in all", a + b
        else:
            change, end, result = f"{rng.choice(words.LOSSES)} {b}", "left", a - b
        yield {
            "question": f"{name} has {a} {things}. {name} {change}. how many {things} {end}?",
            "answer": f"{a} {sign} {b} = {result}\n#### {result}",
        }


@dataclass(frozen=True, kw_only=True, slots=True)
class _Function:
    """A one-line function of x: asked for in words, written as an expression, computed."""

    words: str
    expression: str
    compute: Callable[[Any], object]
    takes_list: bool


_ARITHMETIC: tuple[tuple[str, str, Callable[[int, int], int]], ...] = (
    ("add {} to x", "+", operator.add),
    ("subtract {} from x", "-", operator.sub),
    ("multiply x by {}", "*", operator.mul),
)
_LISTS: tuple[tuple[str, str, Callable[[list[int]], object]], ...] = (
    ("get the first item of x", "x[0]", operator.itemgetter(0)),
    ("get the last item of x", "x[-1]", operator.itemgetter(-1)),
    ("get the length of x", "len(x)", len),
    ("get the sum of x", "sum(x)", sum),
    ("get the largest item of x", "max(x)", max),
    ("get the smallest item of x", "min(x)", min),
    ("sort x", "sorted(x)", sorted),
    ("reverse x", "x[::-1]", lambda x: x[::-1]),
)


def _number_function(text: str, sign: str, compute: Callable[[int, int], int], k: int) -> _Function:
    return _Function(
        words=text.format(k), expression=f"x {sign} {k}", compute=lambda x: compute(x, k), takes_list=False
    )


def _functions() -> list[_Function]:
    numbers = [_number_function(*operation, k) for operation in _ARITHMETIC for k in range(2, 8)]
    lists = [_Function(words=w, expression=e, compute=c, takes_list=True) for w, e, c in _LISTS]
    return numbers + lists


def _arguments(rng: Random, *, takes_list: bool) -> list[object]:
    """Three arguments on which no two functions of the family agree throughout."""
    if not takes_list:
        return list(rng.sample(range(2, 10), 3))
    low, middle, high = sorted(rng.sample(range(1, 10), 3))
    return [[middle, low, high, low], [high, low, middle], [middle, high, low, middle]]


def mbpp(rng: Random) -> Iterator[SampleRow]:
    """One-line functions: 18 over numbers, 8 over lists, each under six names."""
    combinations = [(f, name) for name in words.FUNCTION_NAMES for f in _functions()]
    rng.shuffle(combinations)
    for function, name in cycle(combinations):
        arguments = _arguments(rng, takes_list=function.takes_list)
        yield {
            "text": f"write a function to {function.words}.",
            "code": f"def {name}(x): return {function.expression}",
            "test_list": [f"assert {name}({x}) == {function.compute(x)}" for x in arguments],
            "test_setup_code": "",
            "challenge_test_list": [],
        }


def sciq(rng: Random) -> Iterator[SampleRow]:
    """Which of four nouns belongs to a category."""
    asks = ("which is {}?", "which one is {}?", "which of these is {}?")
    members = [(noun, category) for category, nouns in words.CATEGORIES.items() for noun in nouns]
    rng.shuffle(members)
    for noun, category in cycle(members):
        others = rng.sample([n for n, c in members if c != category], 3)
        yield {
            "question": rng.choice(asks).format(_article(category)),
            "distractor3": others[2],
            "distractor1": others[0],
            "distractor2": others[1],
            "correct_answer": noun,
            "support": f"{_article(noun)} is {_article(category)}.",
        }


def arc_easy(rng: Random) -> Iterator[SampleRow]:
    """Which of four categories a noun belongs to; the options keep one order, less the one left out."""
    asks = ("what is {}?", "{} is a kind of what?", "what kind of thing is {}?")
    members = [(noun, category) for category, nouns in words.CATEGORIES.items() for noun in nouns]
    rng.shuffle(members)
    for noun, category in cycle(members):
        left_out = rng.choice([c for c in words.CATEGORIES if c != category])
        options = [c for c in words.CATEGORIES if c != left_out]
        yield {
            "question": rng.choice(asks).format(_article(noun)),
            "choices": {"text": options, "label": list(_LABELS)},
            "answerKey": _LABELS[options.index(category)],
        }


def _size_row(rng: Random) -> SampleRow:
    one, other = rng.sample(list(words.SIZES), 2)
    return {
        "term": one,
        "description": "an animal",
        "question": f"is {_article(one)} bigger than {_article(other)}?",
        "answer": words.SIZES[one] > words.SIZES[other],
        "facts": [f"{_article(n)} has size {words.SIZES[n]}." for n in (one, other)],
    }


def _number_row(rng: Random) -> SampleRow:
    one, other = rng.sample(range(10), 2)
    return {
        "term": str(one),
        "description": "a number",
        "question": f"is {one} more than {other}?",
        "answer": one > other,
        "facts": [f"{one} is {'more' if one > other else 'less'} than {other}."],
    }


def _alive_row(rng: Random) -> SampleRow:
    category = rng.choice(list(words.CATEGORIES))
    noun = rng.choice(words.CATEGORIES[category])
    ask = rng.choice(("is {} alive?", "is {} a living thing?", "does {} live?", "can {} grow?"))
    return {
        "term": noun,
        "description": _article(category),
        "question": ask.format(_article(noun)),
        "answer": category in words.ALIVE,
        "facts": [f"{_article(noun)} is {_article(category)}."],
    }


def strategyqa(rng: Random) -> Iterator[SampleRow]:
    """Yes or no, decided by the facts alone: sizes of animals, order of digits, what is alive, in turn."""
    for make in cycle((_size_row, _number_row, _alive_row)):
        yield make(rng)


def _story(rng: Random, hero: str, place: str) -> str:
    treasure, friend = rng.choice(words.TREASURES), rng.choice([h for h in words.HEROES if h != hero])
    opening = rng.choice(("one day", "last night", "long ago", "at dawn"))
    return " ".join(
        (
            f"{opening} {_article(rng.choice(words.ADJECTIVES))} {hero} went to the {place}.",
            rng.choice((f"there it found a {treasure}.", f"it saw a {treasure} there.")),
            rng.choice((f"{_article(friend)} came to help.", f"{_article(friend)} wanted it too.")),
            rng.choice(("they became friends.", "both went home happy.", "they sang until morning.")),
        )
    )


def writingprompts(rng: Random) -> Iterator[SampleRow]:
    """A story of about twenty-five words on a hero and a place."""
    prompts = list(product(words.HEROES, words.PLACES))
    rng.shuffle(prompts)
    for hero, place in cycle(prompts):
        yield {"prompt": f"[ WP ] {_article(hero)} and {_article(place)}.", "story": _story(rng, hero, place)}


def dolly(rng: Random) -> Iterator[SampleRow]:
    """Three ideas for an occasion; every sixth row asks for a poem, as Dolly's other creative category."""
    asks = list(product(words.IDEAS, words.ASKS))
    rng.shuffle(asks)
    poems = cycle(rng.sample(words.HEROES, len(words.HEROES)))
    for number, (occasion, ask) in enumerate(cycle(asks), start=1):
        ideas = rng.sample(words.IDEAS[occasion], 3)
        yield {
            "instruction": ask.format(occasion),
            "context": "",
            "response": " ".join(f"{n}. {idea}." for n, idea in enumerate(ideas, start=1)),
            "category": "brainstorming",
        }
        if number % 5 == 0:
            hero, place = next(poems), rng.choice(words.PLACES)
            yield {
                "instruction": f"write a poem about {_article(hero)} and {_article(place)}.",
                "context": "",
                "response": _story(rng, hero, place),
                "category": "creative_writing",
            }


def xsum(rng: Random) -> Iterator[SampleRow]:
    """Three sentences about an errand, and one that tells what came of it in other words."""
    while True:
        name, shop, day = rng.choice(words.NAMES), rng.choice(words.SHOPS), rng.choice(words.DAYS)
        ware = f"{rng.choice(words.COLOURS)} {rng.choice(words.WARES)}"
        deed, told = rng.choice(
            (("bought", "got"), ("lost", "left"), ("sold", "gave away"), ("found", "picked up"))
        )
        yield {
            "document": f"{name} went to the {shop} on {day}. {name} {deed} a {ware} there. "
            f"it was {rng.choice(words.WEATHER)} and {name} walked home.",
            "summary": f"{name} {told} a {ware} at the {shop}.",
        }
