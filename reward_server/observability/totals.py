"""What has been counted since the start: written on the event loop, read from any thread.

Per call and never per sample. Readers take a copy of a dict first: copying is one step for
other threads, walking is not.
"""

from collections.abc import Mapping

from reward_server.api import CostClass, FailureKind
from reward_server.observing import UNKNOWN, CallReport
from reward_server.registry import Registry

_DEAREST_LAST = (CostClass.INLINE, CostClass.WORKER, CostClass.SANDBOX)


class Totals:
    """Counts by their labels; a label is a name of ours, never a caller's text."""

    def __init__(self, rewards: Registry) -> None:
        names = (*(entry.info.name for entry in rewards.entries), UNKNOWN)
        self._classes = {entry.info.name: entry.info.cost_class for entry in rewards.entries}
        self.calls: dict[tuple[str, ...], int] = {}
        self.samples: dict[tuple[str, ...], int] = {}
        # From the start at 0: the first failure of a kind is an increase that an alert can see.
        self.failures = {(name, kind.value): 0 for name in names for kind in FailureKind}
        self.cached = {(name,): 0 for name in names}
        self.grading_seconds = {(name,): 0.0 for name in names}
        self.received_bytes = 0
        self.in_flight = 0

    def add(self, call: CallReport) -> None:
        """Count a call that has ended."""
        self.in_flight -= 1
        self.received_bytes += call.received_bytes
        key = (call.rpc, call.code)
        self.calls[key] = self.calls.get(key, 0) + 1
        for reward, part in call.parts.items():
            for verdict, count in part.verdicts.items():
                key = (reward, verdict.value)
                self.samples[key] = self.samples.get(key, 0) + count
            for kind, count in part.failures.items():
                self.failures[reward, kind.value] += count
            self.cached[reward,] += part.cached
            self.grading_seconds[reward,] += part.grade_ms / 1e3

    def cost_class(self, call: CallReport) -> str:
        """Return the dearest class among the rewards of a call; "NONE" where nothing was graded."""
        classes = {self._classes.get(reward, CostClass.INLINE) for reward in call.parts}
        return next((each.value for each in reversed(_DEAREST_LAST) if each in classes), "NONE")


def by_first(counts: Mapping[tuple[str, ...], int]) -> dict[str, dict[str, int]]:
    """Group counts of two labels by the first; zeros are left out."""
    grouped: dict[str, dict[str, int]] = {}
    for (first, second), count in counts.items():
        if count:
            grouped.setdefault(first, {})[second] = count
    return grouped
