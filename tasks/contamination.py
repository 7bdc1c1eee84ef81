"""Training rows that repeat a held-out row, found by normalised words.

The rule of the GPT-3 report (arXiv 2005.14165, appendix C), with 13 words: two texts
overlap when they share a run of 13 words after folding case and dropping punctuation; a
shorter text overlaps when it equals the other as a whole, its options (in any order) or
its function's name included. Texts are the rows' own (`Example.question`), never what
our prompts add to all of them. Code is also compared by whole solutions, because MBPP
repeats tasks in other words.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from reward_client.api import ChoiceReference, CodeReference, Reference
from tasks.api import Domain, Example

RUN_WORDS = 13
_WORD = re.compile(r"\w+")


class Screened(NamedTuple):
    """Training rows that may stay, and those that repeat a held-out row. Both keep their order."""

    kept: tuple[Example, ...]
    dropped: tuple[Example, ...]


def drop_contaminated(train: Sequence[Example], held_out: Iterable[Example]) -> Screened:
    """Split training rows by whether they share a fingerprint with any held-out row."""
    known = {fingerprint for example in held_out for fingerprint in _fingerprints(example)}
    kept: list[Example] = []
    dropped: list[Example] = []
    for example in train:
        repeats = any(fingerprint in known for fingerprint in _fingerprints(example))
        (dropped if repeats else kept).append(example)
    return Screened(kept=tuple(kept), dropped=tuple(dropped))


def _fingerprints(example: Example) -> Iterator[str]:
    words = _words(example.question or example.prompt)
    # Marked by the kind of text, so that a solution never matches a question.
    if len(words) < RUN_WORDS:
        yield " ".join(("whole", *words, *_told_apart_by(example.reference)))
    for start in range(len(words) - RUN_WORDS + 1):
        yield " ".join(("run", *words[start : start + RUN_WORDS]))
    if example.domain is Domain.CODE:
        yield " ".join(("solution", *example.demonstration.answer.split()))


def _told_apart_by(reference: Reference) -> list[str]:
    """Give what two short questions in the same words may still differ in."""
    match reference:
        case ChoiceReference(texts=texts):
            return sorted(word for text in texts for word in _words(text))
        case CodeReference(entry_point=name):
            return [name]
        case _:
            return []


def _words(text: str) -> list[str]:
    return _WORD.findall(text.casefold())
