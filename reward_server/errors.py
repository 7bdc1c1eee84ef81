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
        └── SandboxUnavailableError no program could be run

A verdict about the candidate is never an error: it is a `Grade`.
"""

from typing import ClassVar

from reward_server.api import FailureKind


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


class SandboxUnavailableError(GradingError):
    """No program could be run: engine down, image missing, container lost twice."""

    kind = FailureKind.SANDBOX
