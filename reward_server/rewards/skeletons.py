"""The skeleton of an English text: its function words and stops, with all other words as one symbol.

Shuffled words, word lists and other tongues keep their words and lose their skeleton: "the of
window because adhesive to" has runs of three that millions of words of English never have.
That is an n-gram language model with one bit a trigram (Shannon 1951), over function words
alone, so that the subject of a text makes no difference. The known trigrams are those that
occur three times in the corpus that `bench/skeletons.py` counts.

Sentences poured from one mould have a known skeleton, but the same one again and again
(Shaib et al. 2024, syntactic templates; here function words stand for the parts of speech).
"""

import re
import zlib
from collections.abc import Sequence
from functools import cache
from itertools import repeat
from pathlib import Path

from reward_server.rewards.english import FUNCTION_WORDS
from reward_server.rewards.scales import ramp

# Of `skeletons.bin`, so that the version of a reward changes with its table.
TABLE_SHA256 = "99c90bb3af32d0adda43a9dba6e54c451084744a056ca70ee34c9ff97d3a3d33"

STOPS = frozenset(".!?;:,")
_TOKEN = re.compile(r"[^\W_]+(?:'[^\W_]+)?|[.!?;:,\n]")
_ASCII_TOKEN = re.compile(r"[a-z0-9]+(?:'[a-z0-9]+)?|[.!?;:,\n]")
# Words that stand in the same places count as one, which the corpus then knows better.
_ALIKE = (
    "my your his their our its", "he she", "we they", "would could should might may can must will shall",
    "is was", "are were", "has had have", "does did do", "these those", "him them me us",
    "himself herself myself themselves itself yourself ourselves", "mine ours theirs yours hers",
    "into onto", "upon on", "toward towards", "though although", "many few", "every each",
)  # fmt: skip
CONTENT, STOP = range(2)
_FIRST_WORD = 2
_WORDS = {word: code for code, word in enumerate(sorted(FUNCTION_WORDS), start=_FIRST_WORD)}
_CODES = (
    _WORDS
    | {word: _WORDS[group.split()[0]] for group in _ALIKE for word in group.split()}
    | dict.fromkeys(STOPS | {"\n"}, STOP)
)
_WITHOUT_FUNCTION = bytes((CONTENT, STOP))
_STOP = bytes((STOP,))
_STOPS_IN_A_ROW = re.compile(_STOP + b"+")
BASE = 256
# A text of the most words that are measured has fewer; letters cut apart by accents may have more.
_MOST_TOKENS = 6_000
_FEWEST_TRIGRAMS = 14
# Of eight words, long enough that honest texts hardly ever repeat a skeleton.
_TEMPLATE = 8
# Three ideas of one form are parallel; thirty are poured from a mould.
_FEWEST_TEMPLATES = 24


def tokens_of(text: str, most: int | None = _MOST_TOKENS) -> list[str]:
    """Return the first words, stops and ends of lines of a text; a contraction counts as its first word."""
    folded = text.casefold().replace("\u2019", "'")
    tokens = (_ASCII_TOKEN if folded.isascii() else _TOKEN).findall(folded)[:most]
    return [_uncontracted(token) for token in tokens] if "'" in text or "\u2019" in text else tokens


def skeleton_of(tokens: Sequence[str]) -> bytes:
    """Return one byte for each token: content word, stop (one for several) or which function word."""
    return _STOPS_IN_A_ROW.sub(_STOP, bytes(map(_CODES.get, tokens, repeat(CONTENT))))


def grammar(skeleton: bytes) -> float:
    """Scale the share of unknown trigrams among those that hold a function word: .1 is full, .25 is 0.

    Half of one is forgiven, and a share is of 14 at least: an odd turn or two in a few sentences is no salad.
    """
    runs = trigrams(skeleton)
    unknown = len(runs) - sum(map(_known().__contains__, runs))
    return ramp((unknown - 0.5) / max(_FEWEST_TRIGRAMS, len(runs)), zero=0.25, one=0.1)


def templates(skeleton: bytes, *, free: float) -> float:
    """Scale the share of repeated 8-grams with at least two function words: `free` is full, .45 more is 0."""
    runs = [skeleton[start : start + _TEMPLATE] for start in range(len(skeleton) - _TEMPLATE + 1)]
    if len(set(runs)) == len(runs):
        return 1.0
    runs = [run for run in runs if len(run.translate(None, _WITHOUT_FUNCTION)) > 1]
    if len(runs) < _FEWEST_TEMPLATES:
        return 1.0
    return ramp(1.0 - len(set(runs)) / len(runs), zero=free + 0.45, one=free)


def trigrams(skeleton: bytes) -> list[int]:
    """Return the trigrams as numbers: those with a function word and no two others in a row."""
    return [
        (first * BASE + second) * BASE + third
        for first, second, third in zip(skeleton, skeleton[1:], skeleton[2:], strict=False)
        if second >= _FIRST_WORD or (first >= _FIRST_WORD and third >= _FIRST_WORD)
    ]


def pack(known: Sequence[int]) -> bytes:
    """Return the sorted numbers as compressed differences."""
    steps = (after - before for before, after in zip([0, *known], known, strict=False))
    return zlib.compress(b"".join(step.to_bytes(3, "big") for step in steps), 9)


@cache
def _known() -> frozenset[int]:
    packed = zlib.decompress(Path(__file__).with_suffix(".bin").read_bytes())
    known: list[int] = []
    last = 0
    for place in range(0, len(packed), 3):
        last += int.from_bytes(packed[place : place + 3], "big")
        known.append(last)
    return frozenset(known)


def _uncontracted(token: str) -> str:
    """Return "do" for "don't", "she" for "she'd", "owner" for "owner's"."""
    word, quote, ending = token.partition("'")
    return word[:-1] if quote and ending == "t" and word.endswith("n") else word
