"""What the supervisor sees of a program that no look finds asleep."""

import os
import subprocess
import sys
import time

import pytest

from sandbox.image import supervisor
from sandbox.image.wire import Ending, Kind, Request


@pytest.mark.parametrize(
    ("source", "ending"),
    [
        ("import time; time.sleep(30)", Ending.WALL_LIMIT),
        ("while True: pass", Ending.CPU_LIMIT),
    ],
    ids=["asleep between the looks", "awake"],
)
def test_time_asleep_is_counted_also_when_every_look_finds_a_program_awake(
    monkeypatch: pytest.MonkeyPatch, source: str, ending: Ending
) -> None:
    stdin, hold = os.pipe()
    reader, writer = os.pipe()
    monkeypatch.setattr(supervisor, "STDIN", stdin)
    monkeypatch.setattr(supervisor, "_sleeps", lambda _: False)
    request = Request(Kind.RUN, 1, cpu_ms=300, wall_ms=200)
    started = time.monotonic()

    with subprocess.Popen([sys.executable, "-I", "-S", "-c", source], pass_fds=[writer]) as program:
        os.close(writer)
        watched = supervisor._watch(program.pid, reader, memoryview(bytearray(16)), request, started)
        program.kill()
    for fd in (stdin, hold, reader):
        os.close(fd)

    assert watched.ending is ending
