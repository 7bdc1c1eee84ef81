"""JSON lines from files of other people: what cannot be read names its file, its line and why."""

import gzip
import json
from collections.abc import Iterator
from pathlib import Path

from evals.errors import EvaluationError


def read_rows(path: Path, error: type[EvaluationError], what: str) -> Iterator[tuple[int, object]]:
    """Read the values of a file, plain or `.gz`, with their line numbers; blank lines are passed over.

    Raises:
        EvaluationError: `error`, when there is no such file, or it is not lines of JSON.
    """
    if not path.is_file():
        raise error(f"{what}: no file {str(path)!r}")
    try:
        raw = path.read_bytes()
        text = (gzip.decompress(raw) if path.suffix == ".gz" else raw).decode()
    except (OSError, EOFError, UnicodeDecodeError) as cause:
        raise error(
            f"{what}: {str(path)!r} cannot be read: {cause}; it should be JSON lines in UTF-8"
        ) from cause
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            yield number, json_of(line, f"{path}:{number}", error)


def json_of(text: str, where: str, error: type[EvaluationError]) -> object:
    """Read one value.

    Raises:
        EvaluationError: `error`, when it is not JSON.
    """
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as cause:
        raise error(f"{where}: not JSON: {cause}") from cause
