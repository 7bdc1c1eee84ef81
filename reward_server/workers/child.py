"""A worker: a fork of the zygote that performs one task after another.

A task is a function from JSON to JSON. CPU time is the parent's business: it watches this process's clock
from outside and kills it.
"""

import contextlib
import ctypes
import os
import resource
import signal
import socket
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from reward_server.workers import frames

OPEN_FILES = 16
# Computer algebra caches grow without end: a worker asks to be replaced beyond these.
RETIRE_AFTER_TASKS = 5_000
RETIRE_ABOVE_RSS_KIB = 300 * 1024

# The kernel's nice value: a ninth of a share beside one that has not made way (sched(7)). With the lowest
# one, a seventieth, an honest slow question would miss its deadline on a machine that has no CPU to spare.
LOW_PRIORITY = 10
PR_SET_PDEATHSIG = 1  # linux/prctl.h

Task = Callable[[Any], Any]


def die_with_parent(parent: int | None = None) -> None:
    """Have the kernel kill this process when its parent, by default the present one, ends."""
    parent = parent or os.getppid()
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        raise SystemExit(1)  # the parent died before the request above took effect


def make_way() -> None:
    """Leave the larger part of the CPUs to whoever else wants them, for good.

    Where the kernel groups processes by session (sched(7), "The autogroup feature"), niceness
    counts within a group only: so this process gets a session, and the session a niceness.
    """
    os.setsid()
    os.nice(LOW_PRIORITY)
    # Absent without the feature; refused to those who ask too often.
    with contextlib.suppress(OSError):
        Path("/proc/self/autogroup").write_text(f"{LOW_PRIORITY}")


def shut_doors() -> None:
    """Give up new processes, files and core dumps for good."""
    for limit, value in (
        (resource.RLIMIT_NPROC, 0),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_NOFILE, OPEN_FILES),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(limit, (value, value))


def serve(tasks: Mapping[str, Task], channel: socket.socket) -> None:
    """Say that this worker is ready, and perform what comes down the channel until it is closed."""
    channel.sendall(frames.encode({"ready": True}))
    requests = channel.makefile("rb")
    served = 0
    while header := requests.read(frames.HEADER.size):
        request = frames.decode(requests.read(frames.body_length(header)))
        reply = _perform(tasks[request["task"]], request["payload"])
        served += 1
        rss_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        reply["retire"] = served >= RETIRE_AFTER_TASKS or rss_kib > RETIRE_ABOVE_RSS_KIB
        channel.sendall(frames.encode(reply))


def _perform(task: Task, payload: object) -> dict[str, object]:
    try:
        return {"result": task(payload)}
    except MemoryError:
        return {"memory": True}
    # A task is third-party code to this loop: whatever it raises is told to the parent.
    except Exception as error:  # noqa: BLE001
        return {"raised": type(error).__name__, "message": str(error)[:500]}
