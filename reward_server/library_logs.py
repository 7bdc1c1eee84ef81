"""What libraries say through `logging`, as events of ours: one line each, and nothing of a sample.

A library may put a value into its words, e.g. asyncio the repr of a task whose exception
quotes a completion. So only the beginning of a message is kept, up to where a value could
start, and of an exception its type and place.
"""

import logging
import re
from collections.abc import Callable

# Packages of ours log by `logging` where they may not know structlog; their words are chosen with care.
_OURS = ("sandbox", "reward_server")
_VALUE = re.compile(r"[<(\n\"']|: ")
_MOST_CHARS = 200


class LibraryHandler(logging.Handler):
    """Hands records on to `log`, which takes a level, an event and its fields."""

    def __init__(self, log: Callable[..., object], place: Callable[[BaseException], list[str]]) -> None:
        super().__init__(logging.INFO)
        self._log = log
        self._place = place

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record as an event."""
        fields: dict[str, object] = {"logger": record.name, "message": said(record)}
        error = record.exc_info[1] if record.exc_info else None
        if error is not None:
            fields |= {"error": type(error).__name__, "trace": self._place(error)}
        self._log(record.levelno, "library", **fields)

    def install(self) -> None:
        """Become the one handler of its kind at the root; ours may also say what is only of interest."""
        root = logging.getLogger()
        for other in [each for each in root.handlers if isinstance(each, LibraryHandler)]:
            root.removeHandler(other)
        root.addHandler(self)
        for name in _OURS:
            logging.getLogger(name).setLevel(logging.INFO)


def said(record: logging.LogRecord) -> str:
    """Return what is safe to keep of a record's message."""
    message = record.getMessage()
    if record.name.partition(".")[0] not in _OURS:
        message = _VALUE.split(message, maxsplit=1)[0]
    return message[:_MOST_CHARS].strip()
