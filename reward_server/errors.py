"""Every error of the reward server, by the border that was crossed.

    AssayError
    ├── ConfigurationError          a flag or a file says something impossible
    ├── RequestError                a call is malformed: names the field
    ├── OverloadedError             a queue is full: says when to come back
    └── GradingError                one sample has no score; carries a FailureKind
        ├── BadReferenceError       the reference cannot be used
        ├── UnknownRewardError      no such reward here
        ├── GraderTimeoutError      our grader ran out of its budget
        ├── GraderLostError         our worker died
        ├── InvalidGradeError       a reward returned a number outside its range
        └── SandboxUnavailableError no program could be run

A verdict about the candidate is never an error: it is a `Grade`.

`boundary` is the one place where an exception of a reward becomes a failure of its
sample; everything else in the package lets programming errors out.
"""

from collections.abc import Callable
from types import TracebackType
from typing import ClassVar, Self

from reward_server.api import Failure, FailureKind


class AssayError(Exception):
    """Base of all errors raised on purpose in this package."""


class ConfigurationError(AssayError):
    """A flag or a configuration file says something impossible."""


class RequestError(AssayError):
    """A call is malformed. `field` is the path of the field, e.g. `samples[3].sample_id`."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(f"{field}: {message}")
        self.field = field
        self.message = message


class OverloadedError(AssayError):
    """A queue is full. `retry_after_s` is in seconds."""

    def __init__(self, message: str, *, retry_after_s: float) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class GradingError(AssayError):
    """One sample has no score. `kind` says why on the wire."""

    kind: ClassVar[FailureKind] = FailureKind.GRADER


class BadReferenceError(GradingError):
    """The reference is missing, of the wrong type, or cannot be used."""

    kind = FailureKind.BAD_REFERENCE


class UnknownRewardError(GradingError):
    """No reward of that name is installed."""

    kind = FailureKind.UNKNOWN_REWARD


class GraderTimeoutError(GradingError):
    """The grader itself ran out of its budget, through no fault of the candidate."""

    kind = FailureKind.GRADER_TIMEOUT


class GraderLostError(GradingError):
    """The worker process that graded the sample died."""


class InvalidGradeError(GradingError):
    """A reward returned a grade that is no number in [0, 1], or a reserved component."""


class SandboxUnavailableError(GradingError):
    """No program could be run: engine down, image missing, containers lost together with the engine."""

    kind = FailureKind.SANDBOX


class boundary:  # noqa: N801  (used as a statement: `with boundary(...) as caught`)
    """Turns what a reward raises into the failure of its one sample.

    A `GradingError` becomes a failure of its kind. Any other exception is a defect of
    the reward: a failure of kind GRADER that names the exception, also given to
    `on_defect`. Cancellation and exits pass through.
    """

    def __init__(self, reward: str, on_defect: Callable[[str, Exception], None]) -> None:
        self._reward = reward
        self._on_defect = on_defect
        self._failure: Failure | None = None

    @property
    def failure(self) -> Failure:
        """What was caught; only asked for after the block was left by an exception."""
        assert self._failure is not None
        return self._failure

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        if isinstance(error, GradingError):
            self._failure = Failure(kind=error.kind, message=str(error))
        elif isinstance(error, Exception):
            self._on_defect(self._reward, error)
            message = f"reward {self._reward!r} raised {type(error).__name__}: {error}"
            self._failure = Failure(kind=FailureKind.GRADER, message=message)
        return self._failure is not None
