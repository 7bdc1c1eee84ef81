"""Where results are put: made, and found to be writable, before anything is asked."""

import os
from pathlib import Path

from evals.errors import EvaluationError


def make_directory(flag: str, path: Path) -> Path:
    """Make a directory that can be written to, and return it.

    Raises:
        EvaluationError: there can be none; names the flag.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise EvaluationError(
            f"{flag}: {str(path)!r} cannot be made a directory ({error.strerror}): name another"
        ) from error
    if not os.access(path, os.W_OK | os.X_OK):
        raise EvaluationError(f"{flag}: {str(path)!r} cannot be written to: name another directory")
    return path


def check_file(flag: str, path: Path) -> None:
    """Make the directory of a file that will be written.

    Raises:
        EvaluationError: there can be none, or the file is a directory; names the flag.
    """
    if path.is_dir():
        raise EvaluationError(f"{flag}: {str(path)!r} is a directory: name a file")
    make_directory(flag, path.parent)
