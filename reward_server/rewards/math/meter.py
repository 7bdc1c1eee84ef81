"""How much work one comparison may do in the server process before it is left to a worker.

Costs are counted, not timed, so that the same answer is always decided in the same
place. One step is about a microsecond on one core of 2024.
"""

INLINE_STEPS = 2_000
# Arithmetic on big numbers grows with the square of their length.
_BITS_OF_ONE_STEP = 1 << 10


class OverBudgetError(Exception):
    """The comparison is too much work for the server process; says nothing about the answer."""


class Meter:
    """Counts steps down; without a limit until `restart`."""

    def __init__(self) -> None:
        self._left = float("inf")

    @property
    def left(self) -> float:
        return self._left

    def restart(self, steps: int = INLINE_STEPS) -> None:
        """Allow so many steps from here on."""
        self._left = steps

    def spend(self, steps: float) -> None:
        """Count steps that are about to be done.

        Raises:
            OverBudgetError: there are not that many left.
        """
        self._left -= steps
        if self._left < 0:
            raise OverBudgetError

    def spend_on_bits(self, bits: int, times: int = 1) -> None:
        """Count an operation on numbers of so many bits together."""
        size = bits // _BITS_OF_ONE_STEP
        self.spend(4 + times * size * size // 2)
