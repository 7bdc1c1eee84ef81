"""The bearer tokens that open the door: a file, one token a line, read again when it changes.

Two lines let callers move from an old token to a new one while the server runs. A file
that has become unreadable or empty leaves the last tokens in force, and is reported.
"""

import hmac
import stat
from collections.abc import Callable
from pathlib import Path

from reward_server.errors import ConfigurationError

Report = Callable[[str], None]
_Stamp = tuple[int, int, int]


class Tokens:
    """The tokens of a file."""

    def __init__(self, file: Path, report: Report) -> None:
        """Read the file. `report` takes a warning.

        Raises:
            ConfigurationError: the file cannot be read, or holds no token.
        """
        self._file = file
        self._report = report
        self._stamp, self._tokens = _read(file)
        if file.stat().st_mode & (stat.S_IRGRP | stat.S_IROTH):
            report(f"token_file={str(file)!r} can be read by others on this machine: chmod 600")

    def admit(self, authorization: str | bytes) -> bool:
        """Tell whether a call's `authorization` brings one of the tokens."""
        self._follow()
        brought = authorization.encode() if isinstance(authorization, str) else authorization
        # All are compared, so that the time taken says nothing.
        return sum(hmac.compare_digest(brought, b"Bearer " + token) for token in self._tokens) > 0

    def _follow(self) -> None:
        try:
            if _stamp(self._file) != self._stamp:
                self._stamp, self._tokens = _read(self._file)
        except (OSError, ConfigurationError) as error:
            if self._stamp != (0, 0, 0):
                self._stamp = (0, 0, 0)
                self._report(f"the tokens in use stay in use: {error}")


def read_tokens(file: Path | None, report: Report) -> Tokens | None:
    """Read the tokens that callers must bring, if there is a file of them.

    Raises:
        ConfigurationError: the file cannot be read, or holds no token.
    """
    return None if file is None else Tokens(file, report)


def _read(file: Path) -> tuple[_Stamp, tuple[bytes, ...]]:
    try:
        stamp, content = _stamp(file), file.read_bytes()
    except OSError as error:
        raise ConfigurationError(f"token_file={str(file)!r} cannot be read: {error.strerror}") from error
    tokens = tuple(line.strip() for line in content.splitlines() if line.strip())
    if not tokens:
        raise ConfigurationError(
            f"token_file={str(file)!r} is empty: put the token in it, or leave the flag out"
        )
    return stamp, tokens


def _stamp(file: Path) -> _Stamp:
    found = file.stat()
    return found.st_ino, found.st_mtime_ns, found.st_size
