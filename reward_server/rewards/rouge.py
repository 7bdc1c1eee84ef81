"""ROUGE-1 and ROUGE-L F-scores of two word lists (Lin 2004), as the `rouge-score` package without stemming.

The longest common subsequence is computed on the bits of one integer (Crochemore et al.
2001, Hyyrö 2004): one addition per word of the second text instead of a table row.
"""

from collections import Counter
from collections.abc import Sequence


def rouge_1(candidate: Sequence[str], reference: Sequence[str]) -> float:
    """Return the F-score in [0, 1] of shared words, each counted as often as both texts have it."""
    shared = (Counter(candidate) & Counter(reference)).total()
    return _f_score(shared, len(candidate), len(reference))


def rouge_l(candidate: Sequence[str], reference: Sequence[str]) -> float:
    """Return the F-score in [0, 1] of the longest common subsequence."""
    return _f_score(longest_common_subsequence(candidate, reference), len(candidate), len(reference))


def longest_common_subsequence(left: Sequence[str], right: Sequence[str]) -> int:
    """Return the length of the longest sequence of words that both texts have in the same order."""
    places: dict[str, int] = {}
    for place, word in enumerate(left):
        places[word] = places.get(word, 0) | (1 << place)
    everywhere = (1 << len(left)) - 1
    open_places = everywhere
    for word in right:
        matches = open_places & places.get(word, 0)
        open_places = ((open_places + matches) | (open_places - matches)) & everywhere
    return len(left) - open_places.bit_count()


def _f_score(shared: int, candidate: int, reference: int) -> float:
    return 2.0 * shared / (candidate + reference) if candidate + reference else 0.0
