"""Ways to spoil an honest text, each in steps that contain one another: step 1 is the mildest.

`GROWING` add to the text and may not raise its score from one step to the next; `REPLACING`
spoil it at places that are drawn, so that one step may be luckier than the last, and may
never exceed the honest score.
"""

import base64
import random
import re
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

STEPS = 5
Row = dict[str, Any]
Degrade = Callable[[Row, int, random.Random], str]


def _words(listed: str) -> list[str]:
    return listed.split()


FILLERS = """It goes without saying that this is a complex issue.
There are pros and cons to each of these.
This raises many questions that deserve an answer.
Many people have different opinions on this matter.
It is safe to say that this has had an impact.
Let us take a closer look at this.
As mentioned before, this is quite important.
In today's world, this is more relevant than ever.
Throughout history, people have always wondered about this.
I think we can all agree that this matters.
In conclusion, there are advantages and disadvantages to every approach.
Overall, this shows how important it is to think about such things.
Furthermore, there are several other factors that should be considered.
Needless to say, there is much more that could be said about this.
To sum up, this is a very interesting topic for everyone.""".splitlines()
PRAISE = """This is a great story.
The characters are vivid and the ending is surprising.
Every sentence has been chosen with great care.
It would certainly deserve the highest score.
You will not find a better story than this one.
The language is rich and the plot is captivating.
This text fulfils every requirement of the task.
Readers everywhere will love it.
There is nothing that could be improved.
A true masterpiece of its kind.""".splitlines()
RARE = _words(
    """obfuscate quixotic perspicacious lugubrious sesquipedalian verisimilitude tergiversate mellifluous
    pulchritude antediluvian crepuscular gossamer ineffable labyrinthine susurrus penumbra effervescent
    halcyon ebullient zephyr vicissitude palimpsest threnody numinous opalescent petrichor serendipity
    ephemeral chatoyant dulcet elision felicity imbroglio lissome nebulous oblique panacea quintessence
    redolent"""
)
DICTIONARY = _words(
    """aardvark abacus abandon abbey abdomen ability abnormal aboard abolish abrasive abrupt absence absorb
    abstract absurd abundant academy accent accept access accident account accurate accuse achieve acid
    acorn acoustic acquire acrobat active actor actual adapt addict adequate adhesive adjust admiral
    admire"""
)
GERMAN = _words(
    """der hund lief über die straße und niemand wusste warum denn es war schon spät am abend als die
    lichter ausgingen während alte frauen am fenster saßen und leise von früher sprachen"""
)
RUSSIAN = _words(
    """это было давно когда старый дом стоял у реки и никто не знал кто там жил потому что окна были
    закрыты а двери заколочены и только ветер ходил по пустым комнатам"""  # noqa: RUF001
)
NOUNS = _words(
    """river table mountain letter garden engine shadow window teacher forest mirror bottle winter"""
)
SYNONYMS = _words("""big large huge enormous vast giant massive immense colossal great""")


def _places(count: int, step: int, rng: random.Random) -> list[int]:
    order = list(range(count))
    rng.shuffle(order)
    return order[: round(count * step / STEPS)]


def _replaced(row: Row, step: int, rng: random.Random, by: Sequence[str]) -> str:
    words = row["answer"].split(" ")
    for place in _places(len(words), step, rng):
        words[place] = rng.choice(by)
    return " ".join(words)


def _after(row: Row, *added: str) -> str:
    return " ".join([row["answer"], *added])


def _jittered(row: Row, step: int, rng: random.Random) -> str:
    copies = [row["answer"]]
    for _ in range(step):
        words = row["answer"].split(" ")
        for place in range(4, len(words), 10):
            words[place] = rng.choice(NOUNS)
        copies.append(" ".join(words))
    return "\n".join(copies)


def _own_words_shuffled(row: Row, step: int, rng: random.Random) -> str:
    words = re.findall(r"\w+", row["answer"])
    return _after(row, *(" ".join(rng.sample(words, min(40, len(words)))) + "." for _ in range(step)))


def _topic_stuffed(row: Row, step: int, rng: random.Random) -> str:
    topic = [word for word in re.findall(r"[a-z]+", row["prompt"].lower()) if len(word) > 3][:8]
    words = row["answer"].split(" ")
    for place in sorted(_places(len(words), step, rng), reverse=True):
        words.insert(place, rng.choice(topic))
    return " ".join(words)


def _synonyms(row: Row, step: int, rng: random.Random) -> str:
    loops = (f"It was {' and '.join(rng.sample(SYNONYMS, 7))}." for _ in range(2 * step))
    return _after(row, *loops)


def _program(row: Row, step: int, _rng: random.Random) -> str:
    lines = (f"def f{n}(x, y):\n    x[{n}] += y ** {n}\n    return x" for n in range(2 * step))
    return _after(row, "\n```python\n" + "\n".join(lines) + "\n```")


def _table(row: Row, step: int, rng: random.Random) -> str:
    lines = (f"| {rng.choice(NOUNS)} | {rng.randrange(99)} | {rng.choice(NOUNS)} |" for _ in range(4 * step))
    return _after(row, "\n| a | b | c |\n|---|---|---|\n" + "\n".join(lines))


def _hedges(row: Row, step: int, _rng: random.Random) -> str:
    pairs = list(pairwise(NOUNS))[: 2 * step]
    return _after(row, *(f"Perhaps it was a {one}, or it may have been a {other}." for one, other in pairs))


GROWING: dict[str, Degrade] = {
    "copies of itself": lambda row, step, _: "\n".join([row["answer"]] * (step + 1)),
    "copies with other words in them": _jittered,
    "the prompt, repeated": lambda row, step, _: "\n".join([row["prompt"][:400]] * step + [row["answer"]]),
    "filler sentences": lambda row, step, _: _after(row, *FILLERS[: 3 * step]),
    "praise of itself": lambda row, step, _: " ".join([*PRAISE[: 2 * step], row["answer"]]),
    "a loop of synonyms": _synonyms,
    "guesses": _hedges,
    "emoji": lambda row, step, rng: _after(row, "".join(rng.choice("😀🎉🔥🚀✨") for _ in range(30 * step))),
    "German": lambda row, step, _: _after(row, " ".join(GERMAN[: 8 * step])),
    "Russian": lambda row, step, _: _after(row, " ".join(RUSSIAN[: 6 * step])),
    "rare words": lambda row, step, _: _after(row, " ".join(RARE[: 8 * step])),
    "a dictionary": lambda row, step, _: _after(row, " ".join(DICTIONARY[: 8 * step])),
    "numbers": lambda row, step, rng: _after(row, *(str(rng.randrange(10, 9999)) for _ in range(15 * step))),
    "punctuation": lambda row, step, rng: _after(row, "".join(rng.choices("!?.,;:-#*", k=60 * step))),
    "noise": lambda row, step, rng: _after(row, base64.b64encode(rng.randbytes(60 * step)).decode()),
    "links": lambda row, step, _: _after(row, *(f"https://{n}.com/{n}?id=7" for n in NOUNS[: 2 * step])),
    "a program": _program,
    "a table": _table,
}
REPLACING: dict[str, Degrade] = {
    "rare words": lambda row, step, rng: _replaced(row, step, rng, RARE),
    "a dictionary": lambda row, step, rng: _replaced(row, step, rng, DICTIONARY),
    "German": lambda row, step, rng: _replaced(row, step, rng, GERMAN),
    "words of the prompt": _topic_stuffed,
    "its own words, shuffled, after it": _own_words_shuffled,
    "other nouns": lambda row, step, rng: _replaced(row, step, rng, NOUNS),
    "letters apart": lambda row, step, rng: " ".join(
        " ".join(word) if rng.random() < step / STEPS else word for word in row["answer"].split(" ")
    ),
}
