"""The child's entry: `python -m reward_server.workers.child '{"name": "module:function"}'`.

Order matters: die with the parent, keep the protocol's pipe away from `print`, bound
the memory, import and warm up everything, and only then shut the remaining doors
(new processes, files), which imports still need.

A task is a function from JSON to JSON. Its module may offer `warm_up()`, called once
before the child reports ready. CPU time is the parent's business: it watches this
process's clock from outside and kills it.
"""

import ctypes
import gc
import importlib
import json
import os
import resource
import signal
import sys
from collections.abc import Callable, Mapping
from typing import Any, BinaryIO

from reward_server.workers import frames

ADDRESS_SPACE_BYTES = 1 << 30
OPEN_FILES = 16
# Computer algebra caches grow without end: a child asks to be replaced beyond these.
RETIRE_AFTER_TASKS = 5_000
RETIRE_ABOVE_RSS_KIB = 300 * 1024

PR_SET_PDEATHSIG = 1  # linux/prctl.h

Task = Callable[[Any], Any]


def main() -> None:
    _die_with_parent()
    requests, replies = _take_over_pipes()
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE_BYTES, ADDRESS_SPACE_BYTES))
    try:
        tasks = _load(json.loads(sys.argv[1]))
    except (ImportError, AttributeError, ValueError) as error:
        replies.write(frames.encode({"broken": f"{type(error).__name__}: {error}"}))
        raise SystemExit(1) from error
    _shut_doors()
    gc.freeze()
    replies.write(frames.encode({"ready": True}))
    _serve(tasks, requests, replies)


def _die_with_parent() -> None:
    parent = os.getppid()
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        raise SystemExit(1)  # the parent died before the request above took effect


def _take_over_pipes() -> tuple[BinaryIO, BinaryIO]:
    """Return the protocol's two ends, with standard input and output set to nothing."""
    requests = os.fdopen(os.dup(0), "rb")
    replies = os.fdopen(os.dup(1), "wb", buffering=0)
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 0)
    os.dup2(nothing, 1)
    os.close(nothing)
    return requests, replies


def _load(names: Mapping[str, str]) -> dict[str, Task]:
    tasks: dict[str, Task] = {}
    for name, target in names.items():
        module_name, function_name = target.split(":")
        module = importlib.import_module(module_name)
        tasks[name] = getattr(module, function_name)
        warm_up = getattr(module, "warm_up", None)
        if warm_up is not None:
            warm_up()
    return tasks


def _shut_doors() -> None:
    for limit, value in (
        (resource.RLIMIT_NPROC, 0),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_NOFILE, OPEN_FILES),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(limit, (value, value))


def _serve(tasks: Mapping[str, Task], requests: BinaryIO, replies: BinaryIO) -> None:
    served = 0
    while header := requests.read(frames.HEADER.size):
        request = frames.decode(requests.read(frames.body_length(header)))
        reply = _perform(tasks[request["task"]], request["payload"])
        served += 1
        rss_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        reply["retire"] = served >= RETIRE_AFTER_TASKS or rss_kib > RETIRE_ABOVE_RSS_KIB
        replies.write(frames.encode(reply))


def _perform(task: Task, payload: object) -> dict[str, object]:
    try:
        return {"result": task(payload)}
    except MemoryError:
        return {"memory": True}
    # A task is third-party code to this loop: whatever it raises is told to the parent.
    except Exception as error:  # noqa: BLE001
        return {"raised": type(error).__name__, "message": str(error)[:500]}


if __name__ == "__main__":
    main()
