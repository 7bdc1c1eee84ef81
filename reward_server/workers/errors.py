"""What a caller of the pool can meet, besides `GraderLostError` for a worker that died.

    GradingError
    ├── GraderTimeoutError
    │   └── WorkerBudgetError   the task used up its CPU time or the memory of its worker
    └── WorkerTaskError         the task raised; its worker lives on

Both are failures of the grader if nobody translates them. A reward that knows the
candidate to be the cause turns them into a verdict.
"""

from enum import Enum

from reward_server.errors import GraderTimeoutError, GradingError


class Limit(Enum):
    """Which budget a task used up."""

    CPU = "cpu"
    MEMORY = "memory"


class WorkerBudgetError(GraderTimeoutError):
    """The task used up its CPU time or the memory of its worker, which was killed."""

    def __init__(self, message: str, *, limit: Limit) -> None:
        super().__init__(message)
        self.limit = limit


class WorkerTaskError(GradingError):
    """The task raised an exception, named by `type_name`."""

    def __init__(self, message: str, *, type_name: str) -> None:
        super().__init__(message)
        self.type_name = type_name
