"""One container seen from asyncio: a request in, a reply out, one at a time.

Bytes arrive in Docker's framing of attached streams (8-byte header: stream, three
zeros, length), inside which the supervisor's replies (`sandbox.image.wire`) lie.
The supervisor is believed; still its lengths are bounded before anything is kept.
"""

import asyncio
from typing import NamedTuple

from sandbox.docker import Container
from sandbox.image.wire import REPLY_BYTES, Kind, Reply, Request

START_SECONDS = 30.0
GRACE_SECONDS = 10.0  # beyond the wall limit, which the supervisor keeps
CANCEL_SECONDS = 2.0
_STREAM_HEADER_BYTES = 8
_STDERR = 2
_MAX_STDERR_CHARS = 2000


class WorkerLostError(Exception):
    """The container or its connection is gone, or talks nonsense. Use another one."""


class WorkerSilentError(WorkerLostError):
    """No reply within the time the supervisor needs at the very most: it, or the host, hangs."""


class Answer(NamedTuple):
    """A reply and its payload."""

    reply: Reply
    payload: bytes


class Worker(asyncio.Protocol):
    """A container with a supervisor that serves one program at a time."""

    def __init__(self, container: Container) -> None:
        self._container = container
        self._transport: asyncio.WriteTransport | None = None
        self._framed = bytearray()
        self._stdout = bytearray()
        self._stderr = ""
        self._answer: asyncio.Future[Answer] | None = None
        self._max_payload = 0
        self._sequence = 0
        self.programs = 0

    @property
    def alive(self) -> bool:
        """Whether the connection stands, as far as is known."""
        return self._transport is not None and not self._transport.is_closing()

    @property
    def name(self) -> str:
        """The name of its container."""
        return self._container.name

    @staticmethod
    async def attach(container: Container) -> "Worker":
        """Connect to a started container and wait until its supervisor is ready.

        Raises:
            WorkerLostError: it did not become ready; the message has its last words.
        """
        worker = Worker(container)
        worker._answer = asyncio.get_running_loop().create_future()
        try:
            await asyncio.get_running_loop().create_connection(lambda: worker, sock=container.socket())
            await worker._wait(START_SECONDS)
        except (OSError, WorkerLostError) as error:
            worker.close()
            raise WorkerLostError(f"no answer from a new container: {error}") from error
        return worker

    async def run(self, request: Request, body: bytes) -> Answer:
        """Run one program. When the call is cancelled, `cancel` must follow before the next run.

        Raises:
            WorkerLostError: no reply; the container must not be used again.
        """
        if self._transport is None or not self.alive:
            raise WorkerLostError(self._last_words("connection lost"))
        self._sequence += 1
        self.programs += 1
        self._max_payload = request.result_bytes
        self._answer = asyncio.get_running_loop().create_future()
        header = request._replace(sequence=self._sequence, body_bytes=len(body)).pack()
        self._transport.write(header + body)
        return await self._wait(request.wall_ms / 1000 + GRACE_SECONDS)

    async def cancel(self) -> None:
        """Kill the program whose `run` was cancelled, and drop its reply.

        Raises:
            WorkerLostError: it could not be told, or did not obey.
        """
        if self._transport is None or self._answer is None:
            raise WorkerLostError(self._last_words("connection lost"))
        if not self._answer.done():
            self._transport.write(Request(Kind.CANCEL, self._sequence).pack())
        await self._wait(CANCEL_SECONDS)

    def close(self) -> None:
        """Close the connection; a running program dies with it."""
        if self._transport is not None:
            self._transport.close()

    def remove(self) -> None:
        """Remove the container. Blocks, and raises SandboxError."""
        self._container.remove()

    async def _wait(self, seconds: float) -> Answer:
        assert self._answer is not None, "set by the caller"
        try:
            async with asyncio.timeout(seconds):
                return await asyncio.shield(self._answer)
        except TimeoutError as error:
            raise WorkerSilentError(self._last_words(f"no reply in {seconds:g} s")) from error

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.WriteTransport), "a stream socket"
        self._transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._fail("connection lost")

    def data_received(self, data: bytes) -> None:
        self._framed += data
        while len(self._framed) >= _STREAM_HEADER_BYTES:
            end = _STREAM_HEADER_BYTES + int.from_bytes(self._framed[4:8], "big")
            if len(self._framed) < end:
                break
            content = bytes(self._framed[_STREAM_HEADER_BYTES:end])
            if self._framed[0] == _STDERR:
                self._stderr = (self._stderr + content.decode("utf-8", "replace"))[-_MAX_STDERR_CHARS:]
            else:
                self._stdout += content
            del self._framed[:end]
        self._take_reply()

    def _take_reply(self) -> None:
        if len(self._stdout) < REPLY_BYTES:
            return None
        try:
            reply = Reply.unpack(bytes(self._stdout[:REPLY_BYTES]))
        except ValueError as error:
            return self._fail(f"not a reply: {error}")
        end = REPLY_BYTES + reply.payload_bytes
        expected = self._answer is not None and not self._answer.done()
        if not expected or reply.sequence != self._sequence or reply.payload_bytes > self._max_payload:
            return self._fail("a reply that nobody asked for")
        if len(self._stdout) >= end:
            assert self._answer is not None, "checked above"
            self._answer.set_result(Answer(reply, bytes(self._stdout[REPLY_BYTES:end])))
            del self._stdout[:end]
        return None

    def _fail(self, reason: str) -> None:
        self.close()
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(WorkerLostError(self._last_words(reason)))
            self._answer.exception()  # whoever waits gets it; nobody need wait

    def _last_words(self, reason: str) -> str:
        return f"{reason}: {self._stderr.strip()}" if self._stderr.strip() else reason
