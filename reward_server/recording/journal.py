"""Segments of a journal: the bytes of calls as they came and were answered, frame after frame.

    segment = header frame, then a frame for each answered call
    frame   = magic | sizes of three parts | checksum | parts
    parts   = JSON about the frame | reward.v1.ScoreRequest | reward.v1.ScoreResponse

Nothing is encoded anew: grading hands over bytes that exist. A process that is killed
leaves a torn last frame, which reading leaves out. Whoever holds a segment's lock owns
it: its server while it writes, then the converter.
"""

import fcntl
import json
import os
import struct
import zlib
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

SUFFIX = ".journal"
_MAGIC = b"ASY1"
_HEAD = struct.Struct("<4sIIII")
# A request has up to 64 MiB, its answer up to about 8,192 times 6 KB; more is damage.
_MAX_PART = 256 * 1024 * 1024


class DamagedJournalError(Exception):
    """A frame in the middle of a segment is no frame; what comes before it was yielded."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Frame:
    """One part of a segment; a header frame has neither request nor response."""

    about: Mapping[str, object]
    request: bytes = b""
    response: bytes = b""


class Segment:
    """A segment that is being written, by one thread."""

    def __init__(self, directory: Path, name: str, about: Mapping[str, object]) -> None:
        """Create the segment, with its header.

        Raises:
            OSError: it cannot be written.
        """
        self.bytes = 0
        final = directory / (name + SUFFIX)
        part = final.with_suffix(".new")
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC
        self._file = os.open(part, flags, 0o600)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX)
            self.append(Frame(about=about))
            part.rename(final)  # seen by converters only when it is locked
        except OSError:
            os.close(self._file)
            part.unlink(missing_ok=True)
            raise

    def append(self, frame: Frame) -> None:
        """Write a frame whole, or leave the segment as it was.

        Raises:
            OSError: it cannot be written.
        """
        parts = (json.dumps(frame.about).encode(), frame.request, frame.response)
        head = _HEAD.pack(_MAGIC, *(len(part) for part in parts), _checksum(parts))
        size = len(head) + sum(len(part) for part in parts)
        try:
            written = os.writev(self._file, (head, *parts))
            while written < size:  # the disk is about full: the next write says so, or goes on
                written += os.write(self._file, b"".join((head, *parts))[written:])
        except OSError:
            os.ftruncate(self._file, self.bytes)
            raise
        self.bytes += size

    def sync(self) -> None:
        """Wait until what was written would survive a loss of power."""
        os.fdatasync(self._file)

    def close(self) -> None:
        """Leave the segment to the converter."""
        os.close(self._file)


@contextmanager
def claimed(segment: Path) -> Generator[BinaryIO | None]:
    """Open a segment that no one writes or converts; None where someone does, or it is gone."""
    try:
        file = segment.open("rb")
    except FileNotFoundError:
        yield None
        return
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield None
            return
        # Another converter may have removed it between opening and locking.
        yield file if segment.exists() else None


def frames(file: BinaryIO) -> Iterator[Frame]:
    """Read a segment up to its end, or to the frame that was being written when its server died.

    Raises:
        DamagedJournalError: a frame is there and damaged; reading further would be guessing.
    """
    while len(head := file.read(_HEAD.size)) == _HEAD.size:
        magic, *sizes, checksum = _HEAD.unpack(head)
        if magic != _MAGIC or max(sizes) > _MAX_PART:
            raise DamagedJournalError(f"no frame starts at byte {file.tell() - _HEAD.size}")
        parts = [file.read(size) for size in sizes]
        if sum(map(len, parts)) < sum(sizes):
            return
        if checksum != _checksum(parts):
            raise DamagedJournalError(f"the frame that ends at byte {file.tell()} is damaged")
        about = cast("dict[str, object]", json.loads(parts[0]))  # the checksum holds: it is ours
        yield Frame(about=about, request=parts[1], response=parts[2])


def _checksum(parts: tuple[bytes, ...] | list[bytes]) -> int:
    checksum = 0
    for part in parts:
        checksum = zlib.crc32(part, checksum)
    return checksum
