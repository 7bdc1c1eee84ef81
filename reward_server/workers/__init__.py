"""Warm child processes for CPU-bound work that may have to be killed.

    pool     the parent's side: who works, who waits, who is killed and replaced
    child    the child's entry: limits, imports, then one task after another
    frames   the pipe protocol both speak: a length, then JSON
    errors   what a caller of the pool can meet

A computer-algebra system cannot be interrupted from a thread or by an alarm, so
the only reliable budget is a process that is killed. Importing this package never
imports what the tasks need: that happens in the children.
"""

from reward_server.workers.errors import Limit, WorkerBudgetError, WorkerTaskError
from reward_server.workers.pool import WorkerPool

__all__ = ["Limit", "WorkerBudgetError", "WorkerPool", "WorkerTaskError"]
