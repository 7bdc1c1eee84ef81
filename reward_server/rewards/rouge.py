"""ROUGE-1 and ROUGE-L F-scores of two word lists (Lin 2004), as the `rouge-score` package without stemming.

The longest common subsequence is computed on the bits of one integer (Crochemore et al.
2001, Hyyrö 2004): one addition per shared word instead of a table row.
"""

from collections import Counter
from collections.abc import Sequence


class Rouge:
    """Scores of any number of candidates against one reference, which is looked through once."""

    def __init__(self, reference: Sequence[str]) -> None:
        self._length = len(reference)
        self._counts = Counter(reference)
        self._places: dict[str, int] = {}
        for place, word in enumerate(reference):
            self._places[word] = self._places.get(word, 0) | (1 << place)

    def rouge_1(self, candidate: Sequence[str]) -> float:
        """Return the F-score in [0, 1] of shared words, each counted as often as both texts have it."""
        said, wanted = Counter(candidate), self._counts
        shared = sum(min(said[word], wanted[word]) for word in said.keys() & wanted.keys())
        return self._f_score(shared, len(candidate))

    def rouge_l(self, candidate: Sequence[str]) -> float:
        """Return the F-score in [0, 1] of the longest common subsequence."""
        return self._f_score(self.longest_common_subsequence(candidate), len(candidate))

    def longest_common_subsequence(self, candidate: Sequence[str]) -> int:
        """Return the length of the longest sequence of words that both texts have in the same order."""
        everywhere = (1 << self._length) - 1
        open_places = everywhere
        for places in filter(None, map(self._places.get, candidate)):
            matches = open_places & places
            # What is carried beyond the last place never comes back.
            open_places = (open_places + matches) | (open_places - matches)
        return self._length - (open_places & everywhere).bit_count()

    def _f_score(self, shared: int, candidate: int) -> float:
        return 2.0 * shared / (candidate + self._length) if candidate + self._length else 0.0
