"""The zygote's entry: `python -m reward_server.workers.zygote_main '{"name": "module:function"}'`.

It imports and warms up every task once, in one thread, and then forks a worker whenever
it is asked to. It never runs a task itself, and reads nothing that a candidate wrote.

A module of tasks may offer `warm_up()`, which is called here, and `rehearse()`, which each
worker calls before it takes a task: the pages that most tasks write to become its own then,
and not in the middle of the first task, which they would slow down threefold.

Order matters: die with the parent, bound the memory, import and warm up everything, and
only then fork; a fork shuts the remaining doors, which imports still need (see `child`).
A worker that ended stays a zombie until the parent asks for it to be reaped, so that no
process number is used twice while the parent may still signal it.
"""

import gc
import importlib
import json
import os
import resource
import signal
import socket
import sys
from collections.abc import Callable, Mapping, Sequence
from types import ModuleType
from typing import Any, NoReturn

from reward_server.workers import child

ADDRESS_SPACE_BYTES = 1 << 30
MAX_MESSAGE_BYTES = 4096

Rehearsal = Callable[[], None]


def main() -> None:
    child.die_with_parent()
    # What ends the server lets calls in flight finish: a signal to its whole group is for it alone.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    control = _take_over_control()
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE_BYTES, ADDRESS_SPACE_BYTES))
    try:
        tasks, rehearsals = _load(json.loads(sys.argv[1]))
    # Tasks are third-party code to this process: whatever keeps it from loading them is told to the parent.
    except Exception as error:
        _send(control, {"broken": f"{type(error).__name__}: {error}"})
        raise SystemExit(1) from error
    # Forks share these pages as long as the collector does not write to them.
    gc.freeze()
    _send(control, {"ready": True})
    _serve(control, tasks, rehearsals)


def _take_over_control() -> socket.socket:
    """Return the control socket, with standard input set to nothing."""
    control = socket.socket(fileno=os.dup(0))
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 0)
    os.close(nothing)
    return control


def _load(names: Mapping[str, str]) -> tuple[dict[str, child.Task], list[Rehearsal]]:
    tasks: dict[str, child.Task] = {}
    modules: dict[str, ModuleType] = {}
    for name, target in names.items():
        module_name, function_name = target.split(":")
        modules[module_name] = importlib.import_module(module_name)
        tasks[name] = getattr(modules[module_name], function_name)
    for module in modules.values():
        if hasattr(module, "warm_up"):
            module.warm_up()
    rehearsals = [module.rehearse for module in modules.values() if hasattr(module, "rehearse")]
    for rehearse in rehearsals:
        rehearse()
    return tasks, rehearsals


def _serve(control: socket.socket, tasks: Mapping[str, child.Task], rehearsals: Sequence[Rehearsal]) -> None:
    while True:
        message, descriptors, _, _ = socket.recv_fds(control, MAX_MESSAGE_BYTES, 1)
        if not message:
            return
        request: dict[str, Any] = json.loads(message)
        if "reap" in request:
            os.waitpid(request["reap"], 0)
            _send(control, {"reaped": request["reap"]})
            continue
        zygote = os.getpid()
        try:
            pid = os.fork()
        except OSError as error:
            _send(control, {"broken": f"cannot fork: {error}"})
        else:
            if not pid:
                low_priority = request["low_priority"]
                # One of low priority has but one task, and that takes its time.
                first = () if low_priority else rehearsals
                _become_worker(zygote, control, descriptors[0], tasks, first, low_priority=low_priority)
            _send(control, {"pid": pid})
        os.close(descriptors[0])


def _become_worker(
    zygote: int,
    control: socket.socket,
    descriptor: int,
    tasks: Mapping[str, child.Task],
    rehearsals: Sequence[Rehearsal],
    *,
    low_priority: bool,
) -> NoReturn:
    status = 1
    try:
        control.close()
        child.die_with_parent(zygote)
        if low_priority:
            child.make_way()
        child.shut_doors()
        for rehearse in rehearsals:
            rehearse()
        child.serve(tasks, socket.socket(fileno=descriptor))
        status = 0
    finally:
        # Never back into the zygote's loop, nor into its exit handlers.
        os._exit(status)


def _send(control: socket.socket, message: Mapping[str, object]) -> None:
    control.send(json.dumps(message).encode()[:MAX_MESSAGE_BYTES])


if __name__ == "__main__":
    main()
