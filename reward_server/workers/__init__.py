"""Warm child processes for CPU-bound work that may have to be killed.

    pool         the parent's side: who works, who waits, who is killed and replaced
    zygote       the warm process that workers are forked from, seen from the parent
    zygote_main  its entry: imports everything once, then forks
    child        a fork: limits, then one task after another
    process      a worker, seen from the parent: asked, watched, killed
    channel      the parent's end of the way to it
    frames       the protocol of pool and worker: a length, then JSON
    grading      a reward's samples in a worker: to JSON, and grades back
    errors       what a caller of the pool can meet

A computer-algebra system cannot be interrupted from a thread or by an alarm, so
the only reliable budget is a process that is killed. Importing this package never
imports what the tasks need: that happens in the children.
"""

from reward_server.workers.errors import Limit, WorkerBudgetError, WorkerTaskError
from reward_server.workers.pool import Ended, Usage, WorkerPool

__all__ = ["Ended", "Limit", "Usage", "WorkerBudgetError", "WorkerPool", "WorkerTaskError"]
