"""Measures of a text in any language, most of them in [0, 1] with 1 for a healthy text.

Every measure looks at one known way to cheat a length or similarity score; none of them
judges whether a text is good. Each saturates well before honest texts end, so that there
is nothing to gain by pushing one of them to its maximum. `docs/graders.md` lists where
the thresholds lie and why.
"""

import re
import zlib
from collections.abc import Collection, Sequence

from reward_server.rewards.english import FUNCTION_WORDS
from reward_server.rewards.scales import ramp
from reward_server.rewards.text_words import non_latin_share

Run = tuple[str, ...]
# Words in a row that are a copy.
COPIED_RUN = 4
_VARIETY_WINDOW = 50
_FUNCTION_WINDOW = 30
_RUN_ENDS = FUNCTION_WORDS | {"\n"}
_LONGEST_RUN_COUNTED = 5
# Shorter texts do not compress enough to tell a loop from a sentence.
_FEWEST_BYTES_TO_COMPRESS = 200
# n of the n-gram: the share of repeats that honest English has room for.
_REPEATS_ALLOWED = {2: 0.20, 3: 0.08, 4: 0.05, 5: 0.04, 6: 0.04}
_REPEATS_SPAN = 0.35
_LEAST_ALLOWED, _LONGEST_NGRAM = min(_REPEATS_ALLOWED.values()), max(_REPEATS_ALLOWED)
# Signs of tables, programs and markup, arrows, drawn symbols and emoji; a wall of punctuation.
_ODD = re.compile(r"[|\\^~<>{}\[\]=_@`\u2190-\u2bff\U0001f000-\U0001faff]")
_WALL = re.compile(r"[!?.,;:*#+/&%$\-]{4,}")
# Longer pieces without a space are links or noise, as long as they are ASCII.
_LONGEST_PIECE = 24
_FEWEST_CONTENT_WORDS = 8
# "bakery" and "baked" are about the same.
_ROOT = 4
# A recipe's ingredients look like junk to a count; they cost much, not all.
# The number of an item ends no sentence.
_NUMBERING = re.compile(r"[0-9](?<!\S[0-9])[0-9]?\. ")
_LIST_IN_PROSE = 0.1


def ngrams(words: Sequence[str], n: int) -> set[Run]:
    """Return the distinct runs of `n` words."""
    return set(zip(*(words[start:] for start in range(n)), strict=False))


def content_runs(words: Sequence[str]) -> list[int]:
    """Return the lengths of all runs of words without a function word or an end of line between them.

    Real English hardly ever puts ten such words in a row, junk of any kind mostly does.
    """
    ends = bytes(map(_RUN_ENDS.__contains__, words))
    return list(map(len, ends.split(b"\x01")))


def fresh_length(words: Sequence[str], given: Sequence[str], runs: Sequence[int] = ()) -> int:
    """Count the words that are new: repeats, copies from `given` and the ends of long runs add no length."""
    if len(words) < 3:
        return len(set(words) - set(given))
    fresh = len(ngrams(words, 3) - ngrams(given, 3)) + 2
    return max(0, fresh - sum(run - _LONGEST_RUN_COUNTED for run in runs if run > _LONGEST_RUN_COUNTED))


def variety(words: Sequence[str]) -> float:
    """Scale the mean type/token ratio of windows of 50 words (Johnson 1944): .35 is 0, .7 is 1."""
    size = min(_VARIETY_WINDOW, len(words))
    starts = [*range(0, len(words) - size, size), len(words) - size]
    ratio = sum(len(set(words[start : start + size])) for start in starts) / (size * len(starts))
    return ramp(ratio, zero=0.35, one=0.7)


def freshness(text: str, words: Sequence[str]) -> float:
    """Scale the worst of repeated n-grams (n = 2..6) and the zlib compression ratio (Shaib 2024)."""
    score = 1.0
    for n, allowed in _REPEATS_ALLOWED.items():
        total = len(words) - n + 1
        if total <= 0:
            break
        distinct = len(ngrams(words, n))
        score = min(score, ramp(1.0 - distinct / total, zero=allowed + _REPEATS_SPAN, one=allowed))
        # A longer run comes again only where the shorter one in it does, so no more often.
        if total - distinct < _LEAST_ALLOWED * (len(words) - _LONGEST_NGRAM):
            break
    data = text.encode("utf-8", "replace")
    if len(data) < _FEWEST_BYTES_TO_COMPRESS:
        return score
    return min(score, ramp(len(data) / len(zlib.compress(data)), zero=5.0, one=2.8))


def fluency(text: str, words: Sequence[str], runs: Sequence[int], *, function_share: float) -> float:
    """Scale what English prose has and lists of words have not; for English prompts only.

    The worst of: the share of function words in the poorest 30 words (full from
    `function_share` on, 0 at a quarter of it) and of all words, the longest of the content
    runs, letters per word, and words per sentence.
    """
    size = min(_FUNCTION_WINDOW, len(words))
    flags = bytes(map(FUNCTION_WORDS.__contains__, words))
    starts = [*range(0, len(words) - size, size), len(words) - size]
    small = flags.count(1) / len(words)
    in_windows = [flags.count(1, start, start + size) for start in starts]
    poorest, richest = min(in_windows) / size, max(in_windows) / size
    letters = sum(map(len, words)) / len(words)
    stops = sum(text.count(mark) for mark in (". ", ".\n", "! ", "? ", "\n", ";", ": "))
    sentences = 1 + stops - len(_NUMBERING.findall(text))
    return min(
        max(_LIST_IN_PROSE, ramp(poorest, zero=function_share / 4, one=function_share)),
        max(_LIST_IN_PROSE, ramp(max(runs, default=0), zero=14, one=8)),
        max(_LIST_IN_PROSE, ramp(small, zero=function_share / 2, one=function_share * 1.6)),
        ramp(richest, zero=0.95, one=0.8),
        ramp(letters, zero=1.5, one=2.5),
        ramp(letters, zero=9.0, one=6.5),
        ramp(len(words) / sentences, zero=160.0, one=50.0),
        max(_LIST_IN_PROSE, ramp(len(words) / sentences, zero=1.0, one=3.0)),
    )


def plain_text(text: str, words: Sequence[str], *, latin: bool) -> float:
    """Scale the shares of letters and of odd signs among visible characters; with `latin`, of Latin words."""
    pieces = text.split()
    lengths = list(map(len, pieces))
    visible = max(1, sum(lengths))
    odd = len(_ODD.findall(text)) + sum(map(len, _WALL.findall(text)))
    if max(lengths, default=0) > _LONGEST_PIECE:
        odd += sum(len(piece) for piece in pieces if len(piece) > _LONGEST_PIECE and piece.isascii())
    clean = min(
        ramp(sum(map(len, words)) / visible, zero=0.5, one=0.85), ramp(odd / visible, zero=0.35, one=0.0)
    )
    return min(clean, ramp(non_latin_share(words), zero=0.4, one=0.02)) if latin else clean


def copied_share(words: Sequence[str], given: Sequence[str], given_runs: Collection[Run] = ()) -> float:
    """Return the share of the 4-grams of `words` (or of the whole, if shorter) that stand in `given`.

    `given_runs` are the 4-grams of `given`, if they are known already.
    """
    size = min(COPIED_RUN, len(words))
    known = given_runs if given_runs and size == COPIED_RUN else ngrams(given, size)
    runs = list(zip(*(words[start:] for start in range(size)), strict=False))
    return sum(map(known.__contains__, runs)) / len(runs)


def order(rouge_1: float, rouge_l: float) -> float:
    """Scale the share of the reference's words that come in its order: .2 is 0, .55 is 1."""
    return ramp(rouge_l / rouge_1, zero=0.2, one=0.55) if rouge_1 else 1.0


def topic_repeats(content: Sequence[str], topic: frozenset[str]) -> int:
    """Return how often a stem of the topic comes again; such words add no length."""
    said = [stem for stem in content if stem in topic]
    return len(said) - len(set(said))


def relevance(content: Sequence[str], topic: frozenset[str]) -> float:
    """Scale how much of the topic is touched: two words (one of a short prompt) are full, none is .5."""
    if not topic:
        return 1.0
    wanted = min(2, max(1, len(topic) // 3))
    roots = {stem[:_ROOT] for stem in topic}
    return 0.5 + 0.5 * min(1.0, len(roots.intersection(stem[:_ROOT] for stem in content)) / wanted)


def not_stuffed(content: Sequence[str], topic: frozenset[str]) -> float:
    """Scale the share of content words that are the prompt's own: .25 is full, .55 is 0."""
    if len(content) < _FEWEST_CONTENT_WORDS:
        return 1.0
    return ramp(sum(stem in topic for stem in content) / len(content), zero=0.55, one=0.25)
