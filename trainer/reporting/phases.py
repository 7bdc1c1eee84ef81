"""Which phase a run is in, and how long each took: over every process that worked on the run.

`seconds.json` in the run's directory is rewritten when a phase ends and after every step, so
that a process that is killed loses the count of one step at most.
"""

import contextlib
import time
from collections.abc import Iterator, Mapping
from typing import cast

from trainer.reporting.progress import Progress
from trainer.run_files.run_directory import RunDirectory

SECONDS_FILE = "seconds.json"
_TOTAL = "total"


class Phases:
    """Shows the phases of a run and adds up their wall seconds."""

    def __init__(self, run: RunDirectory, progress: Progress) -> None:
        self._run = run
        self._progress = progress
        # Written by this class alone.
        self._seconds = dict(cast("Mapping[str, float]", run.read_json(SECONDS_FILE) or {}))
        self._name = ""
        self._last = time.monotonic()

    @contextlib.contextmanager
    def phase(self, name: str, total: int | None = None) -> Iterator[None]:
        """Books the time of the block under `name`, whether it ends well or not."""
        self._book()
        self._progress.phase(name, total)
        self._name = name
        try:
            yield
        finally:
            self.tick()
            self._name = ""

    @contextlib.contextmanager
    def aside(self, name: str) -> Iterator[None]:
        """Books the time of the block under `name` and not under the phase that runs on around it."""
        self._book()
        around, self._name = self._name, name
        try:
            yield
        finally:
            self.tick()
            self._name = around

    def tick(self) -> None:
        """Writes the seconds so far."""
        self._book()
        self._run.write_json(SECONDS_FILE, self._seconds)

    def seconds(self) -> Mapping[str, float]:
        """Returns wall seconds by phase, and `total`, which holds what lies between phases too."""
        self._book()
        return {name: value for name, value in self._seconds.items() if name != _TOTAL} | {
            _TOTAL: self._seconds[_TOTAL]
        }

    def _book(self) -> None:
        now = time.monotonic()
        for name in filter(None, (self._name, _TOTAL)):
            self._seconds[name] = self._seconds.get(name, 0.0) + now - self._last
        self._last = now
