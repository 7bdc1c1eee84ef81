"""Scores that need not be computed twice: a bounded, least-recently-used store.

A key covers everything a score depends on; the store keeps digests, not texts. What
may be kept is decided here: scores of deterministic rewards, and of those only verdicts
that do not depend on how busy the machine was. A failure is no score, so it is never kept.
"""

import hashlib
from collections import OrderedDict
from typing import Protocol

from reward_server.api import Sample, Score, Verdict

Key = bytes
KEY_BYTES = 16

# Time and memory limits, and crashes by a signal, depend on the machine of the moment.
_MACHINE_DEPENDENT = frozenset({Verdict.TIME_LIMIT, Verdict.MEMORY_LIMIT, Verdict.RUNTIME_ERROR})


def key_of(sample: Sample, reward_version: str) -> Key:
    """Digest what the score of a sample depends on."""
    # A tuple's repr ends where it ends, whatever is in it: no two samples have the same text.
    rest = (sample.reward, reward_version, sample.prompt, sample.reference)
    text = f"{rest!r}{sample.completion}"
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()[:KEY_BYTES]


def may_keep(verdict: Verdict) -> bool:
    """Say whether an equal sample would surely get this verdict again."""
    return verdict not in _MACHINE_DEPENDENT


class Store(Protocol):
    """Where scores outlive this process; see `disk_cache`."""

    def get(self, key: Key) -> Score | None: ...
    def put(self, key: Key, score: Score) -> None: ...


class ScoreCache:
    """The last `capacity` scores by key, and those of a store below.

    `hits`, `stored_hits` (found below) and `misses` count since the start of the process.
    """

    def __init__(self, capacity: int, below: Store | None = None) -> None:
        self.hits = 0
        self.stored_hits = 0
        self.misses = 0
        self._capacity = capacity
        self._below = below
        self._scores: OrderedDict[Key, Score] = OrderedDict()

    def __len__(self) -> int:
        return len(self._scores)

    def get(self, key: Key) -> Score | None:
        """Return the score kept under a key, or None."""
        score = self._scores.get(key)
        if score is not None:
            self.hits += 1
            self._scores.move_to_end(key)
            return score
        score = None if self._below is None else self._below.get(key)
        if score is None:
            self.misses += 1
            return None
        self.stored_hits += 1
        self._keep(key, score)
        return score

    def put(self, key: Key, score: Score) -> None:
        """Keep a score, and forget the one that was not used for longest if there is no room."""
        self._keep(key, score)
        if self._below is not None:
            self._below.put(key, score)

    def _keep(self, key: Key, score: Score) -> None:
        self._scores[key] = score
        self._scores.move_to_end(key)
        if len(self._scores) > self._capacity:
            self._scores.popitem(last=False)
