"""The parent's end of the channel to a worker: one frame out, one frame in.

A protocol rather than a stream: an answer reaches who waits for it in one turn of the event
loop instead of four, and with a worker those turns are idle.
"""

import asyncio
import socket
from typing import Any, Self, cast

from reward_server.errors import GraderLostError
from reward_server.workers import frames


class Channel(asyncio.Protocol):
    """Asks and waits for one answer at a time. `name` is who is at the other end, in errors."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._transport: asyncio.Transport | None = None
        self._received = bytearray()
        self._answer: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self.is_gone = False
        """Whether the other end is closed, or ours."""

    @classmethod
    async def open(cls, ours: socket.socket, name: str) -> Self:
        """Take over a connected socket; the first answer comes unasked."""
        _, channel = await asyncio.get_running_loop().create_unix_connection(lambda: cls(name), sock=ours)
        return channel

    def ask(self, frame: bytes) -> "asyncio.Future[dict[str, Any]]":
        """Send a frame and return the answer to come, which raises `GraderLostError` if none will."""
        self._answer = asyncio.get_running_loop().create_future()
        if self.is_gone:
            self._fail("died")
        else:
            self._connected.write(frame)
        return self._answer

    async def first(self) -> dict[str, Any]:
        """Return the answer that comes unasked.

        Raises:
            GraderLostError: there will be none.
        """
        return await self._answer

    def close(self) -> None:
        """Let go of the other end."""
        self._connected.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self._received += data
        try:
            answer = self._whole_frame()
        except frames.FrameError as error:
            self._fail(f"broke the protocol: {error}")
            self._connected.pause_reading()  # it is alive, and will be killed
            return
        if answer is not None and not self._answer.done():
            self._answer.set_result(answer)

    def connection_lost(self, exc: Exception | None) -> None:
        self.is_gone = True
        self._fail("died")

    @property
    def _connected(self) -> asyncio.Transport:
        assert self._transport is not None  # `open` returns when there is one
        return self._transport

    def _whole_frame(self) -> dict[str, Any] | None:
        if len(self._received) < frames.HEADER.size:
            return None
        end = frames.HEADER.size + frames.body_length(bytes(self._received[: frames.HEADER.size]))
        if len(self._received) < end:
            return None
        body = bytes(self._received[frames.HEADER.size : end])
        del self._received[:end]
        return frames.decode(body)

    def _fail(self, why: str) -> None:
        if not self._answer.done():
            self._answer.set_exception(GraderLostError(f"{self._name} {why}"))
            self._answer.exception()  # whoever asked may have left
