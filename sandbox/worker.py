"""One container seen from asyncio: a request in, a reply out, one at a time.

The supervisor's replies (`sandbox.image.wire`) are believed; still their lengths are
bounded before anything is kept. How the bytes travel is the backend's affair.
"""

import asyncio
import socket
from typing import NamedTuple, Protocol

from sandbox.image.wire import REPLY_BYTES, Ending, Kind, Reply, Request

START_SECONDS = 30.0
# A program that wants the CPU and does not get it has all the time it needs, and so has the supervisor:
# on a host this many times too busy they are late, later than that they hang.
STARVATION = 10.0
GRACE_SECONDS = 60.0
CANCEL_SECONDS = 2.0


class WorkerLostError(Exception):
    """The container or its connection is gone, or talks nonsense. Use another one."""


class WorkerFaultError(WorkerLostError):
    """Lost by no program's doing: it could not start one, or did not reply in the time it may need."""


class Container(Protocol):
    """A started container of some backend, connected to its supervisor."""

    @property
    def name(self) -> str:
        """A name that no other container has."""
        ...

    def socket(self) -> socket.socket:
        """Return a socket of the caller's own to the supervisor; raises SandboxError."""
        ...

    def unframe(self, data: bytes) -> bytes:
        """Take bytes off that socket; returns what the supervisor wrote in them."""
        ...

    def last_words(self) -> str:
        """Return what it said on standard error, as far as known."""
        ...

    def remove(self) -> None:
        """Kill it and leave nothing of it. Blocks, and raises SandboxError."""
        ...


class Answer(NamedTuple):
    """A reply and its payload."""

    reply: Reply
    payload: bytes


class Worker(asyncio.Protocol):
    """A container with a supervisor that serves one program at a time."""

    def __init__(self, container: Container) -> None:
        self._container = container
        self._transport: asyncio.WriteTransport | None = None
        self._received = bytearray()
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
        patience = (request.wall_ms + STARVATION * request.cpu_ms) / 1000 + GRACE_SECONDS
        answer = await self._wait(patience)
        if answer.reply.ending is Ending.NOT_STARTED:
            raise WorkerFaultError(f"a program was not started: {answer.payload.decode(errors='replace')}")
        return answer

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
            raise WorkerFaultError(self._last_words(f"no reply in {seconds:g} s")) from error

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.WriteTransport), "a stream socket"
        self._transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._fail("connection lost")

    def data_received(self, data: bytes) -> None:
        self._received += self._container.unframe(data)
        self._take_reply()

    def _take_reply(self) -> None:
        if len(self._received) < REPLY_BYTES:
            return None
        try:
            reply = Reply.unpack(bytes(self._received[:REPLY_BYTES]))
        except ValueError as error:
            return self._fail(f"not a reply: {error}")
        end = REPLY_BYTES + reply.payload_bytes
        expected = self._answer is not None and not self._answer.done()
        if not expected or reply.sequence != self._sequence or reply.payload_bytes > self._max_payload:
            return self._fail("a reply that nobody asked for")
        if len(self._received) >= end:
            assert self._answer is not None, "checked above"
            self._answer.set_result(Answer(reply, bytes(self._received[REPLY_BYTES:end])))
            del self._received[:end]
        return None

    def _fail(self, reason: str) -> None:
        self.close()
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(WorkerLostError(self._last_words(reason)))
            self._answer.exception()  # whoever waits gets it; nobody need wait

    def _last_words(self, reason: str) -> str:
        words = self._container.last_words()
        return f"{reason}: {words}" if words else reason
