"""When to stop: the first request drains, the second ends at once."""

import asyncio
import signal
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager


class Stop:
    """Requests to stop, from signals and from the end of standard input."""

    def __init__(self) -> None:
        self.requested = asyncio.Event()
        self.forced = asyncio.Event()

    def request(self) -> None:
        """Ask for a stop; asking twice forces it."""
        if self.requested.is_set():
            self.forced.set()
        self.requested.set()

    def on_signals(self) -> None:
        """Listen to SIGTERM and SIGINT."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.request)

    @asynccontextmanager
    async def on_stdin_eof(self) -> AsyncGenerator[None]:
        """Listen for the end of standard input, which is the death of whoever holds its other end."""
        loop = asyncio.get_running_loop()
        transport, _ = await loop.connect_read_pipe(lambda: _UntilEof(self), sys.stdin)
        try:
            yield
        finally:
            transport.close()


class _UntilEof(asyncio.Protocol):
    def __init__(self, stop: Stop) -> None:
        self._stop = stop

    def eof_received(self) -> None:
        # Not `request`: a parent that signals and then dies asked for one stop, not for force.
        self._stop.requested.set()
