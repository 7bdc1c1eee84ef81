"""The processes of one run: one by itself, or several, each on its host, that train one model.

All of them run the same program and make the same calls in the same order; JAX divides the
arrays between them. What is not an array is done once: the first process, the leader, writes
the run's directory, asks the reward server, and tells; the others receive what came of it.
How that travels is in `trainer.processes`.
"""

from collections.abc import Callable
from types import TracebackType
from typing import Self, TypeVar

from trainer.config import ConfigurationError

_T = TypeVar("_T")


class Cluster:
    """A run of one process; what several processes do together is a plain call here."""

    number = 0
    count = 1

    @property
    def is_leader(self) -> bool:
        """Whether this process writes, asks and tells."""
        return self.number == 0

    def share(self, make: Callable[[], _T]) -> _T:
        """Returns what `make` returns in the leader, or raises what it raises there."""
        return self.later(make)()

    def later(self, make: Callable[[], _T]) -> Callable[[], _T]:
        """Returns a `share` to be called later, in any thread; the order of `later` is what must agree."""
        return make

    def stops(self, asked: bool) -> bool:
        """Says whether any process was asked to stop, and says the same in all."""
        return asked

    def agree(self, problem: str) -> None:
        """Ends a check that every process makes, and that went well where `problem` is empty.

        Raises:
            trainer.config.ConfigurationError: in all processes, where one has a problem.
        """
        if problem:
            raise ConfigurationError(problem)

    def same(self, what: str, value: str) -> None:
        """Refuses processes in which `value` differs, and raises like `agree`."""
        differs = (
            f"cluster: process {self.number} of {self.count} has another {what} than process 0: start "
            "all with the same program, arguments and data"
        )
        self.agree("" if self.share(lambda: value) == value else differs)

    def leave(self, status: int, message: str = "") -> None:
        """Ends together with the others; `message` tells them why `status` is not 0. Several exit here."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass


ALONE = Cluster()
