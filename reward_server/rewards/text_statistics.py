"""Measures of a text, each in [0, 1] with 1 for a healthy text, and the ramps that scale them.

Every measure looks at one known way to cheat a length or similarity score; none of them
judges whether a text is good. Each saturates well before honest texts end, so that there
is nothing to gain by pushing one of them to its maximum. `docs/graders.md` lists where
the thresholds lie and why.
"""

import re
import zlib
from collections.abc import Sequence
from itertools import pairwise
from statistics import fmean, pstdev

from reward_server.rewards.english import FUNCTION_WORDS, NEVER_AFTER
from reward_server.rewards.text_words import non_latin_share, stems

_VARIETY_WINDOW = 50
_FUNCTION_WINDOW = 30
_LONGEST_RUN_COUNTED = 5
# Shorter texts do not compress enough to tell a loop from a sentence.
_FEWEST_BYTES_TO_COMPRESS = 200
# n of the n-gram: the share of repeats that honest English has room for.
_REPEATS_ALLOWED = {2: 0.20, 3: 0.08, 4: 0.05, 5: 0.04, 6: 0.04}
_REPEATS_SPAN = 0.35
_SENTENCE_END = re.compile(r"[.!?。！？؟।]+")  # noqa: RUF001 (stops of other scripts)
_FEWEST_SENTENCES = 4
_FEWEST_CONTENT_WORDS = 8
# A recipe's ingredients look like junk to a count; they cost much, not all.
_LIST_IN_PROSE = 0.1


def ramp(value: float, *, zero: float, one: float) -> float:
    """Return the linear scale that is 0 at `zero` and 1 at `one`, clipped; either may be the larger."""
    return min(1.0, max(0.0, (value - zero) / (one - zero)))


def band(value: float, *, full_from: float, full_to: float, zero_at: float) -> float:
    """Return the trapezoid 0 at 0, 1 from `full_from` to `full_to`, 0 again at `zero_at`."""
    return min(ramp(value, zero=0.0, one=full_from), ramp(value, zero=zero_at, one=full_to))


def ngrams(words: Sequence[str], n: int) -> set[tuple[str, ...]]:
    """Return the distinct runs of `n` words."""
    return set(zip(*(words[start:] for start in range(n)), strict=False))


def content_runs(words: Sequence[str]) -> list[int]:
    """Return the lengths of all runs of words without a function word between them.

    Real English hardly ever puts ten such words in a row, junk of any kind mostly does.
    """
    runs = [0]
    for word in words:
        if word in FUNCTION_WORDS:
            runs.append(0)
        else:
            runs[-1] += 1
    return runs


def fresh_length(words: Sequence[str], given: Sequence[str], runs: Sequence[int] = ()) -> int:
    """Count the words that are new: repeats, copies from `given` and the ends of long runs add no length."""
    if len(words) < 3:
        return len(set(words) - set(given))
    fresh = len(ngrams(words, 3) - ngrams(given, 3)) + 2
    return max(0, fresh - sum(run - _LONGEST_RUN_COUNTED for run in runs if run > _LONGEST_RUN_COUNTED))


def variety(words: Sequence[str]) -> float:
    """Scale the mean type/token ratio of windows of 50 words (Johnson 1944): .4 is 0, .9 is 1."""
    size = min(_VARIETY_WINDOW, len(words))
    starts = [*range(0, len(words) - size, size), len(words) - size]
    ratio = sum(len(set(words[start : start + size])) for start in starts) / (size * len(starts))
    return ramp(ratio, zero=0.4, one=0.9)


def rhythm(text: str) -> float:
    """Scale how much the lengths of sentences vary: a coefficient of variation of .15 is .5, .6 is 1.

    Prose alternates long sentences with short ones; lists, templates and loops do not. Of
    fewer than four sentences nothing is said (.75).
    """
    lengths = [len(found) for sentence in _SENTENCE_END.split(text) if (found := sentence.split())]
    if len(lengths) < _FEWEST_SENTENCES:
        return 0.75
    return 0.5 + 0.5 * ramp(pstdev(lengths) / fmean(lengths), zero=0.15, one=0.6)


def freshness(text: str, words: Sequence[str]) -> float:
    """Scale the worst of repeated n-grams (n = 2..6) and the zlib compression ratio (Shaib 2024)."""
    score = 1.0
    for n, allowed in _REPEATS_ALLOWED.items():
        total = len(words) - n + 1
        if total > 0:
            repeated = 1.0 - len(ngrams(words, n)) / total
            score = min(score, ramp(repeated, zero=allowed + _REPEATS_SPAN, one=allowed))
    data = text.encode("utf-8", "replace")
    if len(data) < _FEWEST_BYTES_TO_COMPRESS:
        return score
    return min(score, ramp(len(data) / len(zlib.compress(data)), zero=5.0, one=2.8))


def fluency(text: str, words: Sequence[str], runs: Sequence[int], *, function_share: float) -> float:
    """Scale what English prose has and lists of words have not; for English prompts only.

    The worst of: the share of function words in the poorest 30 words (full from
    `function_share` on, 0 at a quarter of it), the longest of the content runs, pairs of words
    that grammar forbids, letters per word, and words per sentence.
    """
    size = min(_FUNCTION_WINDOW, len(words))
    flags = [word in FUNCTION_WORDS for word in words]
    starts = [*range(0, len(words) - size, size), len(words) - size]
    poorest = min(sum(flags[start : start + size]) for start in starts) / size
    richest = max(sum(flags[start : start + size]) for start in starts) / size
    letters = sum(map(len, words)) / len(words)
    sentences = 1 + sum(text.count(mark) for mark in (". ", ".\n", "! ", "? ", "\n", ";", ": "))
    return min(
        max(_LIST_IN_PROSE, ramp(poorest, zero=function_share / 4, one=function_share)),
        max(_LIST_IN_PROSE, ramp(max(runs, default=0), zero=14, one=8)),
        ramp(richest, zero=0.95, one=0.75),
        _grammar(words),
        ramp(letters, zero=1.5, one=2.5),
        ramp(letters, zero=9.0, one=6.5),
        ramp(len(words) / sentences, zero=160.0, one=50.0),
        max(_LIST_IN_PROSE, ramp(len(words) / sentences, zero=1.0, one=3.0)),
    )


def plain_text(text: str, words: Sequence[str], *, latin: bool) -> float:
    """Scale the share of letters among visible characters; with `latin`, also of Latin words."""
    visible = len("".join(text.split()))
    clean = ramp(sum(map(len, words)) / max(1, visible), zero=0.5, one=0.85)
    return min(clean, ramp(non_latin_share(words), zero=0.4, one=0.02)) if latin else clean


def copied_share(words: Sequence[str], given: Sequence[str]) -> float:
    """Return the share of the 4-grams of `words` (or of the whole, if shorter) that stand in `given`."""
    size = min(4, len(words))
    runs = list(zip(*(words[start:] for start in range(size)), strict=False))
    known = ngrams(given, size)
    return sum(run in known for run in runs) / len(runs)


def order(rouge_1: float, rouge_l: float) -> float:
    """Scale the share of the reference's words that come in its order: .2 is 0, .55 is 1."""
    return ramp(rouge_l / rouge_1, zero=0.2, one=0.55) if rouge_1 else 1.0


def relevance(words: Sequence[str], topic: frozenset[str]) -> float:
    """Scale how much of the topic the text touches: a third, or three words, is full; never below .5."""
    if not topic:
        return 1.0
    wanted = min(3, max(1, len(topic) // 3))
    return max(0.5, min(1.0, len(topic.intersection(stems(words))) / wanted))


def not_stuffed(words: Sequence[str], topic: frozenset[str]) -> float:
    """Scale the share of content words that are the prompt's own: .35 is full, .65 is 0."""
    content = stems(words)
    if len(content) < _FEWEST_CONTENT_WORDS:
        return 1.0
    return ramp(sum(stem in topic for stem in content) / len(content), zero=0.65, one=0.35)


def _grammar(words: Sequence[str]) -> float:
    """Scale the share of small words followed by one that English does not put there."""
    chances = [(word, after) for word, after in pairwise(words) if word in NEVER_AFTER]
    broken = sum(after in NEVER_AFTER[word] for word, after in chances)
    # Most of one slip is forgiven, so that a single odd pair in a short text costs little.
    return ramp(max(0.0, broken - 0.75) / (len(chances) + 1.0), zero=0.10, one=0.02)
