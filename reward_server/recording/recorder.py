"""The server's side of a recording: takes what was answered, and never makes anyone wait.

`add` puts references to existing bytes into a queue; one thread writes them to a journal.
A full or slow disk costs recorded calls, which are counted and reported, never graded
ones. Finished segments are turned into Parquet by a child of lowest priority, one at a
time, and what a killed server has left by the child of the next.
"""

import os
import shutil
import socket
import tempfile
import threading
import time
from collections import deque
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from reward_server.errors import ConfigurationError
from reward_server.recording.converter import Converter, Report
from reward_server.recording.journal import Frame, Segment

# What a killed process loses; what a loss of power costs.
_WRITE_EVERY_S = 0.05
_SYNC_EVERY_S = 2.0
_SEGMENT_BYTES = 64 * 1024 * 1024
_SEGMENT_S = 300.0
# Beyond it the disk is slower than grading, and calls go unrecorded.
_MAX_WAITING_BYTES = 128 * 1024 * 1024
# A recording must not be what fills the disk that others need.
_MIN_FREE_BYTES = 1024 * 1024 * 1024
_REPORT_EVERY_S = 60.0
# For the last segment; what takes longer is converted when the next server starts.
_CLOSE_S = 20.0


@dataclass(frozen=True, kw_only=True, slots=True)
class _Answered:
    at: float
    rows: int
    request: bytes
    response: bytes

    @property
    def size(self) -> int:
        return len(self.request) + len(self.response)


class Recorder:
    """Records into one directory. Counters are plain numbers of samples since the start."""

    def __init__(
        self,
        directory: Path,
        *,
        about: Mapping[str, object],
        report: Report,
        max_waiting_bytes: int = _MAX_WAITING_BYTES,
        min_free_bytes: int = _MIN_FREE_BYTES,
    ) -> None:
        """Begin to record. `about` goes into every segment; `report` takes an event and its fields."""
        self.recorded = 0
        self.dropped = 0
        self.waiting_bytes = 0
        self._directory = directory
        self._about = about
        self._report = report
        self._max_waiting_bytes = max_waiting_bytes
        self._min_free_bytes = min_free_bytes
        self._run = f"{socket.gethostname()}-{os.getpid()}-{os.urandom(3).hex()}"
        self._calls = 0
        self._segments = 0
        self._waiting: deque[_Answered] = deque()
        self._lock = threading.Lock()
        self._segment: Segment | None = None
        self._begun = self._synced = 0.0
        self._reported = -_REPORT_EVERY_S
        self._converter = Converter(directory, report)
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run_until_closed, name="recorder", daemon=True)
        self._thread.start()

    def add(self, request: bytes, response: bytes, *, rows: int) -> None:
        """Record a ScoreRequest and its ScoreResponse, some time soon; returns at once."""
        answered = _Answered(at=time.time(), rows=rows, request=request, response=response)
        if self.waiting_bytes + answered.size > self._max_waiting_bytes:
            self.dropped += rows
            return
        with self._lock:
            self.waiting_bytes += answered.size
        self._waiting.append(answered)

    def close(self) -> None:
        """Write what waits, and give the last segment a while to become Parquet."""
        self._closing.set()
        self._thread.join()
        self._converter.finish(_CLOSE_S)

    def _run_until_closed(self) -> None:
        self._converter.want()
        while not self._closing.wait(_WRITE_EVERY_S):
            self._write_waiting()
            self._rotate_if_due()
            self._report_dropped()
            self._converter.go_on()
        self._write_waiting()
        self._finish_segment()
        self._report_dropped()

    def _write_waiting(self) -> None:
        reason = self._no_room() if self._waiting else None
        while self._waiting:
            answered = self._waiting.popleft()
            with self._lock:
                self.waiting_bytes -= answered.size
            if reason is None:
                reason = self._write(answered)
            if reason is not None:
                self.dropped += answered.rows
                self._report_dropped(reason)

    def _write(self, answered: _Answered) -> str | None:
        """Append to the journal; says what went wrong, if something did."""
        self._calls += 1
        about = {"call": f"{self._run}-{self._calls}", "at": answered.at}
        try:
            if self._segment is None:
                self._segment = self._new_segment()
            self._segment.append(Frame(about=about, request=answered.request, response=answered.response))
        except OSError as error:
            self._finish_segment()
            return str(error)
        self.recorded += answered.rows
        return None

    def _new_segment(self) -> Segment:
        self._segments += 1
        self._begun = self._synced = time.monotonic()
        stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
        return Segment(self._directory, f"{stamp}-{self._run}-{self._segments}", self._about)

    def _no_room(self) -> str | None:
        try:
            free = shutil.disk_usage(self._directory).free
        except OSError as error:
            return str(error)
        if free < self._min_free_bytes:
            least = self._min_free_bytes
            return f"{free >> 20} MiB are free on the disk, and recording leaves {least >> 20} to others"
        return None

    def _rotate_if_due(self) -> None:
        now = time.monotonic()
        if self._segment is None:
            return
        if self._segment.bytes > _SEGMENT_BYTES or now - self._begun > _SEGMENT_S:
            self._finish_segment()
        elif now - self._synced > _SYNC_EVERY_S:
            self._synced = now
            try:
                self._segment.sync()
            except OSError as error:
                self._finish_segment()
                self._report_dropped(str(error))

    def _finish_segment(self) -> None:
        if self._segment is not None:
            self._segment.close()
            self._segment = None
            self._converter.want()

    def _report_dropped(self, reason: str = "the disk is slower than grading") -> None:
        """Report, at most once a minute, how many samples are missing so far."""
        if self.dropped and time.monotonic() - self._reported > _REPORT_EVERY_S:
            self._reported = time.monotonic()
            self._report("recording_incomplete", dropped=self.dropped, reason=reason)


@contextmanager
def open_recorder(
    directory: Path | None, *, about: Mapping[str, object], report: Report
) -> Generator[Recorder | None]:
    """Record into a directory inside the block; None where no directory is given.

    Raises:
        ConfigurationError: the directory cannot be made or written. Asked to record, the server
            does not start without.
    """
    if directory is None:
        yield None
        return
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=directory):
            pass
    except OSError as error:
        raise ConfigurationError(f"record={str(directory)!r} cannot be written: {error.strerror}") from error
    recorder = Recorder(directory, about=about, report=report)
    try:
        yield recorder
    finally:
        recorder.close()
