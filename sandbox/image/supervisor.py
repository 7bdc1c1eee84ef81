"""The process that forks one child per program and kills it from outside.

Single-threaded, root inside the container, PID 1, never runs a byte of a program: it
copies request bodies to children and payloads to the trusted side without looking
into them, and wipes both buffers so that no program finds remains of another.
Clocks and verdicts of limits are its own; a program cannot reach them.
"""

import gc
import importlib
import math
import os
import select
import signal
import sys
import time
from typing import NamedTuple, NoReturn

from sandbox.image import child
from sandbox.image.wire import MAX_BODY_BYTES, REQUEST_BYTES, Ending, Kind, Reply, Request

POLL_MS = 10  # how often the CPU clock of a program is read
EXIT_PATIENCE_MS = 50  # between the end of the result pipe and the end of the process
OOM_SCORE = 500  # half of the host's memory is added to what each process here seems to use
STDIN, STDOUT = 0, 1
_WALL = 0x40000000  # clone children without an exit signal, too: linux/wait.h

# Imported once so that programs need not. Each module makes every fork dearer, so only what
# short solutions use most; the rest of the standard library is imported when asked for.
COMMON_MODULES = (
    *("bisect", "cmath", "collections", "copy", "functools", "heapq", "itertools"),
    *("math", "operator", "random", "re", "string", "time", "typing"),
)


class Watched(NamedTuple):
    """How a child ended, and how many bytes it had written."""

    ending: Ending
    filled: int


def serve(uid: int) -> None:
    """Serve requests on stdin until it ends. Children run as `uid`, which no one else may use.

    All containers of a sandbox have the same PYTHONHASHSEED, so that they order sets alike.
    """
    if not os.environ.get("PYTHONHASHSEED", "").isdecimal():
        sys.exit("PYTHONHASHSEED is not a number: two containers would order sets differently")
    _be_first_to_go()
    _load_common_modules()
    os.environ.clear()
    sys.argv = [""]
    sys.path = [entry for entry in sys.path if not entry.startswith("/opt/")]
    supervisor = Supervisor(child.prepare(uid))
    gc.collect()
    gc.freeze()
    supervisor.run()


def _load_common_modules() -> None:
    """Load them, with the same random numbers for every program.

    `random` would seed itself anew in every child, which touches a fifth of all pages that a child copies.
    """
    register, os.register_at_fork = os.register_at_fork, _forget
    for name in COMMON_MODULES:
        importlib.import_module(name)
    os.register_at_fork = register
    importlib.import_module("random").seed(0)


def _forget(**_: object) -> None:
    """Stand in for `os.register_at_fork`."""


def _be_first_to_go() -> None:
    """When the host runs out of memory, let the kernel take programs, not servers."""
    with open("/proc/self/oom_score_adj", "w") as file:  # noqa: PTH123  (no pathlib in here)
        file.write(str(OOM_SCORE))


class Scratch:
    """Memory for one program's bytes: reused, growing, and wiped before the next fork."""

    def __init__(self) -> None:
        self.data = bytearray(64 * 1024)

    def first(self, size: int) -> memoryview:
        """Return the first `size` bytes."""
        if len(self.data) < size:
            self.data = bytearray(size)
        return memoryview(self.data)[:size]


class Supervisor:
    """Owns the memory for programs, and what they give up their powers with."""

    def __init__(self, powers: child.Powers) -> None:
        self._powers = powers
        self._body = Scratch()
        self._payload = Scratch()

    def run(self) -> None:
        """Say hello, then serve requests until stdin ends."""
        _write(Reply(Ending.HELLO, 0).pack())
        while header := _read_exactly(REQUEST_BYTES):
            request = Request.unpack(header)
            if request.kind is Kind.RUN:
                self._run_one(request)

    def _run_one(self, request: Request) -> None:
        if request.body_bytes > MAX_BODY_BYTES:
            sys.exit(f"a body of {request.body_bytes} bytes is over {MAX_BODY_BYTES}")
        body = self._body.first(request.body_bytes)
        _read_into(body)
        payload = self._payload.first(len(child.READY) + request.result_bytes + 1)
        reader, writer = os.pipe()
        started = time.monotonic()
        pid = os.fork()
        if pid == 0:
            _become_child(request, body, writer, self._powers)
        os.close(writer)
        watched = _watch(pid, reader, payload, request, started)
        _wipe(body)
        os.close(reader)
        exit_code, cpu_us = _end(pid, watched)
        match watched.ending:
            case Ending.EXITED:
                results = payload[len(child.READY) : watched.filled]
            case Ending.NOT_STARTED:
                results = payload[: min(watched.filled, request.result_bytes)]  # our own words
            case _:
                results = payload[:0]
        wall_us = int((time.monotonic() - started) * 1e6)
        reply = Reply(watched.ending, request.sequence, exit_code, cpu_us, wall_us, len(results))
        _write(reply.pack(), results)
        _wipe(payload[: watched.filled])
        _expect_no_other_process()


def _become_child(request: Request, body: memoryview, writer: int, powers: child.Powers) -> NoReturn:
    try:
        child.run(request, body, writer, powers)
    finally:
        os._exit(0)


def _wipe(memory: memoryview) -> None:
    memory[:] = bytes(len(memory))


def _end(pid: int, watched: Watched) -> tuple[int, int]:
    """Kill and reap a child; returns its exit code (negative: a signal) and its CPU time in microseconds."""
    silent = watched.ending is Ending.EXITED and watched.filled == len(child.READY)
    ran_on = silent and not _has_exited(pid)
    os.kill(pid, signal.SIGKILL)
    _, status, usage = os.wait4(pid, 0)
    exit_code = 0 if ran_on else os.waitstatus_to_exitcode(status)
    return exit_code, int((usage.ru_utime + usage.ru_stime) * 1e6)


def _watch(pid: int, reader: int, payload: memoryview, request: Request, started: float) -> Watched:
    """Collect the payload until the program ends, goes over a limit, or is cancelled.

    Nearly all programs end before the first look at their clock. Until then only the end of the pipe
    wakes this process: to be woken for what comes through it would cost a short program a fifth more.
    """
    cpu_clock = (~pid << 3) | 2  # CPUCLOCK_SCHED of a process: include/linux/posix-timers.h
    poller = select.poll()
    poller.register(STDIN, select.POLLIN)
    poller.register(reader, 0)  # POLLHUP is always told
    filled = 0
    while True:
        events = poller.poll(POLL_MS)
        for fd, event in events:
            if fd == STDIN:
                _read_cancel()
                return Watched(Ending.CANCELLED, filled)
            filled += os.readv(reader, [payload[filled:]])
            if filled == len(payload):
                return Watched(Ending.OUTPUT_LIMIT, filled)
            if event & select.POLLHUP:  # so this was the rest
                begun = bytes(payload[: len(child.READY)]) == child.READY
                return Watched(Ending.EXITED if begun else Ending.NOT_STARTED, filled)
        if not events:
            poller.register(reader, select.POLLIN)
        if time.clock_gettime(cpu_clock) * 1000 > request.cpu_ms:
            return Watched(Ending.CPU_LIMIT, filled)
        wall_ms = (time.monotonic() - started) * 1000
        if wall_ms > request.wall_ms and (_sleeps(pid) or wall_ms - _wanted_ms(pid) > request.wall_ms):
            return Watched(Ending.WALL_LIMIT, filled)


def _sleeps(pid: int) -> bool:
    """Tell a program that sleeps or was stopped from one that computes, waits to, or has just ended.

    On a busy machine an honest program may get no CPU for long; its CPU budget ends it all the same.
    """
    with open(f"/proc/{pid}/stat", "rb") as stat:  # noqa: PTH123  (no pathlib in here)
        return stat.read().rpartition(b") ")[2].startswith((b"S", b"T", b"t"))


def _wanted_ms(pid: int) -> float:
    """Return for how long a program has had or waited for a CPU; the rest of its time it slept.

    A program may know when it is looked at, and be awake for just that moment. Infinite where the
    kernel keeps no such account (gVisor).
    """
    try:
        with open(f"/proc/{pid}/schedstat", "rb") as account:  # noqa: PTH123  (no pathlib in here)
            had, waited, _ = account.read().split()
    except (OSError, ValueError):
        return math.inf
    return (int(had) + int(waited)) / 1e6


def _has_exited(pid: int) -> bool:
    """Tell an exit from a program that closed its pipe and runs on: whose signal ended it matters."""
    for _ in range(EXIT_PATIENCE_MS):
        if os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT):
            return True
        time.sleep(0.001)
    return False


def _read_cancel() -> None:
    header = _read_exactly(REQUEST_BYTES)
    if not header or Request.unpack(header).kind is not Kind.CANCEL:
        sys.exit(0 if not header else "a second program before the first one's reply")


def _expect_no_other_process() -> None:
    """Stop the container when a process has outlived its program.

    The kernel makes the first process of a container the parent of all orphans, so whatever is
    alive now is a child of this one, or below a child.
    """
    try:
        os.waitpid(-1, os.WNOHANG | _WALL)
    except ChildProcessError:
        return
    sys.exit("a process outlived its program")


def _read_exactly(size: int) -> bytes:
    """Read `size` bytes of stdin; empty at its end."""
    data = b""
    while len(data) < size:
        part = os.read(STDIN, size - len(data))
        if not part:
            return b""
        data += part
    return data


def _read_into(buffer: memoryview) -> None:
    filled = 0
    while filled < len(buffer):
        count = os.readv(STDIN, [buffer[filled:]])
        if count == 0:
            sys.exit(0)
        filled += count


def _write(header: bytes, content: bytes | memoryview = b"") -> None:
    """Write both at once: each piece would travel, and wake its readers, on its own."""
    rest = os.writev(STDOUT, [header, content]) - len(header)
    if rest < 0:
        sys.exit("standard output takes less than a header")
    while rest < len(content):
        rest += os.write(STDOUT, content[rest:])
