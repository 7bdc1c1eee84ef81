"""Values of one reference at the sample points: computed once, paid for each time.

Siblings of a group share their reference. The meter counts what a value cost at first, so
that the same answer is decided by the same layer whatever was graded before.
"""

from collections.abc import Callable
from typing import TypeVar

from reward_server.rewards.math.meter import Meter
from reward_server.rewards.math.tree import StrangeAnswerError

Found = TypeVar("Found")


class Remembered:
    """What was found for each key, or how it failed, with the steps that it took."""

    def __init__(self, meter: Meter) -> None:
        self._meter = meter
        self._found: dict[object, tuple[float, object]] = {}

    def get(self, key: object, compute: Callable[[], Found]) -> Found:
        """Return what `compute` returns, or raise what it raises, as known from the first time.

        Raises:
            OverBudgetError: the meter has run out.
            StrangeAnswerError: from `compute`.
        """
        if (known := self._found.get(key)) is None:
            before = self._meter.left
            try:
                found: object = compute()
            except StrangeAnswerError as error:
                found = error.with_traceback(None)
            known = self._found[key] = (before - self._meter.left, found)
        else:
            self._meter.spend(known[0])
        if isinstance(known[1], StrangeAnswerError):
            raise known[1]
        return known[1]  # type: ignore[return-value]  # what `compute` returned for this key
