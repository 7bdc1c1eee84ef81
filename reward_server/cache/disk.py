"""Scores on disk, so that a restarted server answers a replay without grading.

An LMDB environment behind the cache in memory. Reading is a look into mapped memory, on
the event loop; writing happens in batches, in one thread. Nothing that goes wrong here
costs more than a hit: the trouble is counted, reported once, and the server goes on.

Bounded by two generations: scores are written into the young one; when that has its half
of the room, the old one is dropped whole and the two change places. So what is forgotten
is what was written first, between one half and all of the bound ago.

Mapped memory cannot be trusted blindly: a truncated file would end the process. So the
first server to open a directory verifies the whole file without mapping it, about 7 ms a
MiB; servers that come while one is running share what it verified.
"""

import fcntl
import hashlib
import os
import stat
import threading
from collections import deque
from collections.abc import Callable, Generator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO

import lmdb
from lmdb import verify  # pyright: ignore[reportMissingTypeStubs]

from reward_server.api import Score
from reward_server.cache import records as score_records
from reward_server.cache.memory import Key

# Generations fill this share of the room each; the rest is for pages in transit.
_GENERATION_SHARE = 0.4
_GENERATIONS = (b"0", b"1")
_YOUNG = b"young"
# A crash loses what was put within it.
_WRITE_EVERY_S = 0.1
# More wait only while the disk is slower than grading; then the newest are not kept.
_MAX_WAITING = 32_768
_BATCH = 512

Report = Callable[[str], None]


class DiskCache:
    """The scores of one directory. Counters are plain numbers since the start of the process."""

    def __init__(self, environment: lmdb.Environment, *, room: int, salt: bytes, report: Report) -> None:
        self.hits = 0
        self.misses = 0
        self.writes = 0
        self.dropped = 0
        self.damaged = 0
        self._environment = environment
        self._generations = [environment.open_db(name) for name in _GENERATIONS]
        self._room = room
        self._salt = salt
        self._report = report
        self._reported: set[str] = set()
        self._readable = True
        self._waiting: deque[tuple[Key, Score]] = deque()
        self._closing = threading.Event()
        self._writer = threading.Thread(target=self._write_until_closed, name="disk-cache", daemon=True)
        self._writer.start()

    def get(self, key: Key) -> Score | None:
        """Return the score kept under a key, if there is one and it is sound."""
        if not self._readable:
            return None
        own = self._own(key)
        record: bytes | None = None
        try:
            with self._environment.begin() as transaction:
                for generation in self._generations:
                    if (record := transaction.get(own, db=generation)) is not None:
                        break
        except lmdb.Error as error:
            self._readable = False
            self._complain("cannot be read and is left alone until the next start", error)
        score = None if record is None else score_records.decode(own, record)
        if score is not None:
            self.hits += 1
            return score
        self.misses += 1
        self.damaged += record is not None
        return None

    def put(self, key: Key, score: Score) -> None:
        """Keep a score, some time soon; returns at once."""
        if len(self._waiting) >= _MAX_WAITING:
            self.dropped += 1
            return
        self._waiting.append((key, score))

    def close(self) -> None:
        """Write what waits, and let go of the directory."""
        self._closing.set()
        self._writer.join()
        self._readable = False
        self._environment.close()

    def _own(self, key: Key) -> Key:
        return hashlib.blake2b(key, key=self._salt, digest_size=16).digest()

    def _write_until_closed(self) -> None:
        while not self._closing.wait(_WRITE_EVERY_S):
            self._write_all()
        self._write_all()

    def _write_all(self) -> None:
        while self._waiting:
            batch = [self._waiting.popleft() for _ in range(min(_BATCH, len(self._waiting)))]
            pairs = [(own := self._own(key), score_records.encode(own, score)) for key, score in batch]
            records = [(key, record) for key, record in pairs if record is not None]
            try:
                try:
                    self._write(records)
                except lmdb.MapFullError:  # pages in transit took more than their share
                    self._change_places()
                    self._write(records)
            except lmdb.Error as error:
                self.dropped += len(batch)
                self._complain("cannot be written, and new scores are not kept", error)

    def _write(self, records: Sequence[tuple[Key, bytes]]) -> None:
        with self._environment.begin(write=True) as transaction:
            young = self._generations[self._young(transaction)]
            written = sum(transaction.put(key, record, db=young) for key, record in records)
            sizes = transaction.stat(young)
        self.writes += written
        pages = sizes["branch_pages"] + sizes["leaf_pages"] + sizes["overflow_pages"]
        if pages * sizes["psize"] > self._room * _GENERATION_SHARE:
            self._change_places()

    def _change_places(self) -> None:
        """Drop the old generation; it is the young one from now on."""
        with self._environment.begin(write=True) as transaction:
            old = 1 - self._young(transaction)
            transaction.drop(self._generations[old], delete=False)
            transaction.put(_YOUNG, _GENERATIONS[old])

    def _young(self, transaction: lmdb.Transaction) -> int:
        return int(transaction.get(_YOUNG) == _GENERATIONS[1])

    def _complain(self, consequence: str, error: lmdb.Error) -> None:
        if consequence not in self._reported:
            self._reported.add(consequence)
            self._report(f"the cache directory {consequence}: {error}")


@contextmanager
def open_disk_cache(
    directory: Path | None, *, room: int, salt: bytes, report: Report
) -> Generator[DiskCache | None]:
    """Open the scores of a directory; None, with a report, where that cannot be done.

    `room` is in bytes. `salt` names all that a score depends on beside its key; what was kept
    under another one is never found. A file that is no sound LMDB is set aside.
    """
    with ExitStack() as stack:
        cache = None
        if directory is not None:
            try:
                # A directory of our own below: a mounted volume may be open to everyone.
                lock = stack.enter_context(_own_directory(directory / "scores").joinpath("in-use").open("wb"))
                cache = _open(directory / "scores", lock, room=room, salt=salt, report=report)
                stack.callback(cache.close)
            except (OSError, lmdb.Error) as error:
                report(f"no cache on disk in {str(directory)!r}: {error}")
        yield cache


def _own_directory(directory: Path) -> Path:
    """Make a directory that only this user may write to: who writes there decides scores."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = directory.stat()
    if found.st_uid != os.geteuid() or found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise PermissionError(f"{str(directory)!r} can be written by others: chown it, or chmod go-w")
    return directory


def _open(directory: Path, lock: IO[bytes], *, room: int, salt: bytes, report: Report) -> DiskCache:
    data = directory / "data.mdb"
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        pass  # a server that is running has verified it
    else:
        if (flaw := _flaw(data)) is not None:
            data.replace(directory / "data.damaged")
            report(f"{str(data)!r} is damaged and set aside, the cache starts empty: {flaw}")
        (directory / "lock.mdb").unlink(missing_ok=True)
    # Held until the end, in its shared form; waits while another server verifies.
    fcntl.flock(lock, fcntl.LOCK_SH)
    environment = lmdb.open(
        str(directory), map_size=room, max_dbs=len(_GENERATIONS), mode=0o600, metasync=False, readahead=False
    )
    environment.reader_check()
    return DiskCache(environment, room=room, salt=salt, report=report)


def _flaw(data: Path) -> str | None:
    """Say what is wrong with a file of LMDB's, or None; the file is read, never mapped."""
    if not data.exists():
        return None
    try:
        flaws = verify.verify(str(data))  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
    except verify.VerifyError as error:
        return str(error)
    return str(flaws[0]) if flaws else None  # pyright: ignore[reportUnknownArgumentType]
