"""Starts the child that makes Parquet of finished segments: one at a time, and again while there is need."""

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from reward_server.recording.journal import SUFFIX

Report = Callable[..., None]


class Converter:
    """The child of one directory. `report` takes an event and its fields."""

    def __init__(self, directory: Path, report: Report) -> None:
        self._directory = directory
        self._report = report
        self._child: subprocess.Popen[bytes] | None = None
        self._wanted = False

    def want(self) -> None:
        """Ask for the conversion of what is finished, now or after the child that runs."""
        self._wanted = any(self._directory.glob("*" + SUFFIX))
        self.go_on()

    def go_on(self) -> None:
        """Begin what has to wait no longer."""
        if self._child is not None and self._child.poll() is not None:
            if self._child.returncode != 0:
                self._report("recording_not_converted", code=self._child.returncode)
            self._child = None
        if not self._wanted or self._child is not None:
            return
        self._wanted = False
        command = (sys.executable, "-m", "reward_server.recording.convert", str(self._directory))
        try:
            self._child = subprocess.Popen(command, stdin=subprocess.DEVNULL)
        except OSError as error:  # no process to be had: the next segment asks again
            self._report("recording_not_converted", reason=str(error))

    def finish(self, wait_s: float) -> None:
        """Wait for the conversion of what is finished, for a while; a segment left is left whole."""
        deadline = time.monotonic() + wait_s
        while self._child is not None:
            try:
                self._child.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                self._child.kill()
                self._child.wait()
                self._wanted = False
            self.go_on()
