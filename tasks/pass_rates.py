"""How often each prompt was solved, and which prompt that makes worth asking again.

A group whose completions all pass or all fail has no variance and teaches nothing; the
gain from a group grows with p(1 - p), which is largest at a pass rate p of 1/2 (Bae et al.
2025, arXiv 2504.03380). p is not known, so each prompt has a posterior Beta(a, b) from the
prior Beta(1, 1), and is preferred by the expectation

    E[p(1 - p)] = a b / ((a + b)(a + b + 1)),

1/6 for a prompt never asked, more for one solved half the time, less for one always or
never solved. The policy changes, so every new group of a prompt first halves what was
known of it.

No I/O; the state is plain JSON values, so that a checkpoint holds it exactly.
"""

from collections.abc import Collection, Mapping, Sequence
from random import Random

from tasks.api import Example

_FORGETTING = 0.5  # share of the earlier evidence that a new group leaves


class PassRates:
    """Posteriors by example id; ids without evidence have the prior."""

    def __init__(self, state: Mapping[str, Sequence[float]] | None = None) -> None:
        self._evidence = {key: (float(a), float(b)) for key, (a, b) in (state or {}).items()}

    def observe(self, example_id: str, *, passed: float, asked: int) -> None:
        """Add a group of `asked` graded completions, of which `passed` passed (a sum of shares)."""
        a, b = self._evidence.get(example_id, (0.0, 0.0))
        self._evidence[example_id] = (a * _FORGETTING + passed, b * _FORGETTING + asked - passed)

    def preference(self, example_id: str) -> float:
        """Compute E[p(1 - p)] under the posterior; in (0, 1/4)."""
        a, b = (count + 1.0 for count in self._evidence.get(example_id, (0.0, 0.0)))
        return a * b / ((a + b) * (a + b + 1.0))

    def choose(self, pool: Sequence[Example], *, key: str, taken: Collection[str] = ()) -> Example:
        """Draw one example with probability proportional to its preference; a function of `key` and state.

        Examples in `taken` are left out, unless all are.
        """
        left = [example for example in pool if example.example_id not in taken] or pool
        weights = [self.preference(example.example_id) for example in left]
        return Random(key).choices(left, weights)[0]  # noqa: S311 - which row, not a secret

    def state(self) -> dict[str, list[float]]:
        """Give the evidence as JSON values; `PassRates(state)` is the same again."""
        return {key: [a, b] for key, (a, b) in self._evidence.items()}
