"""`python -m reward_server.recording.convert DIR`: makes a Parquet file of each finished segment.

A process of its own and of lowest priority, so that it takes nothing from grading. Killed
at any moment it leaves the segment, and the next one writes the same file again: a row is
in exactly one file. Ends with 1 when a segment could not be converted, which then stays.
"""

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

from reward_server.recording import parquet
from reward_server.recording.journal import SUFFIX, DamagedJournalError, Frame, claimed, frames
from reward_server.recording.rows import rows

_LOWEST_PRIORITY = 19


def convert(segment: Path) -> str | None:
    """Convert a segment that no one holds, and remove it; says what went wrong, if something did."""
    with claimed(segment) as file:
        if file is None:
            return None
        damage: list[str] = []

        def sound() -> Iterator[Frame]:
            try:
                yield from frames(file)
            except DamagedJournalError as error:
                damage.append(str(error))

        try:
            parquet.write(segment.with_suffix(parquet.SUFFIX), rows(sound()))
        except OSError as error:
            return f"{str(segment)!r} waits: {error}"
        if damage:
            segment.rename(segment.with_suffix(".damaged"))
            return f"{str(segment)!r} is converted up to its damage and kept as .damaged: {damage[0]}"
        segment.unlink()
        return None


def main() -> None:
    """Convert all segments of a directory."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal's interrupt is for the server
    os.nice(_LOWEST_PRIORITY)
    segments = sorted(Path(sys.argv[1]).glob("*" + SUFFIX))
    complaints = [complaint for segment in segments if (complaint := convert(segment)) is not None]
    for complaint in complaints:
        print(f"reward_server: {complaint}", file=sys.stderr)  # noqa: T201  (the command line's own voice)
    sys.exit(1 if complaints else 0)


if __name__ == "__main__":
    main()
