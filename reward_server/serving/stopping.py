"""When to stop: the first request drains, the second ends at once."""

import asyncio
import os
import signal
import stat
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from reward_server.errors import ConfigurationError


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
        """Listen for the end of standard input, which is the death of whoever holds its other end.

        Raises:
            ConfigurationError: standard input has no other end: it is a file, a terminal or a device.
        """
        mode = os.fstat(sys.stdin.fileno()).st_mode
        if not (stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)):
            raise ConfigurationError("stop_on_stdin_eof needs a pipe as standard input, and it is none")
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
