"""Ctrl-C during a run: the first stops between two steps, the second at once."""

import contextlib
import signal
from collections.abc import Callable, Iterator
from types import FrameType


@contextlib.contextmanager
def interruptible(note: Callable[[str], None]) -> Iterator[Callable[[], bool]]:
    """Yields a question that is true once Ctrl-C was pressed, which `note` tells the user."""
    asked = False

    def request_stop(signal_number: int, frame: FrameType | None) -> None:
        nonlocal asked
        asked = True
        signal.signal(signal.SIGINT, signal.default_int_handler)
        note("stopping after this step; press Ctrl-C again to stop at once")

    previous = signal.signal(signal.SIGINT, request_stop)
    try:
        yield lambda: asked
    finally:
        signal.signal(signal.SIGINT, previous)
