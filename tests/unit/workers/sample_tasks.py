"""Tasks that the pool's tests run in real children."""

import contextlib
import math
import os
import resource
import signal
import stat
import time
from pathlib import Path
from typing import Any


def echo(payload: Any) -> Any:
    return payload


def pid(_: Any) -> int:
    return os.getpid()


def parent(_: Any) -> int:
    return os.getppid()


def spin(_: Any) -> None:
    while True:
        pass


def spin_for(seconds: float) -> str:
    ends = time.process_time() + seconds
    while time.process_time() < ends:
        pass
    return "spun"


def spin_and_die_once(marker: str) -> str:
    """Be slow, and die as `die_once` does."""
    spin_for(0.1)
    return die_once(marker)


def spin_in_c(_: Any) -> int:
    return math.factorial(5_000_000)


def sleep(seconds: float) -> str:
    time.sleep(seconds)
    return "slept"


def fill_memory(_: Any) -> int:
    return len(bytearray(4 << 30))


def fail(text: str) -> None:
    raise ValueError(text)


def die(_: Any) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def die_once(marker: str) -> str:
    """Die unless the marker, a directory made by the test, has been removed; removing needs no file size."""
    path = Path(marker)
    if path.exists():
        path.rmdir()
        die(None)
    return "second worker"


def shout(_: Any) -> str:
    print("this must not reach the protocol's pipe")
    return "quiet"


def write_file(path: str) -> None:
    Path(path).write_text("x")


def process_limit(_: Any) -> tuple[int, int]:
    return resource.getrlimit(resource.RLIMIT_NPROC)


def environment(_: Any) -> list[str]:
    return sorted(os.environ)


def too_much(_: Any) -> str:
    return "x" * (2 << 20)


def garble(_: Any) -> None:
    """Write what is no frame down every socket, and live on."""
    for descriptor in range(64):
        with contextlib.suppress(OSError):
            if stat.S_ISSOCK(os.fstat(descriptor).st_mode):
                os.write(descriptor, b"\xff" * 64)
    time.sleep(3600)
