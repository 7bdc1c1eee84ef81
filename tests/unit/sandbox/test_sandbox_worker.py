"""A worker and its container's bytes: replies in any pieces, and what is no reply."""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from sandbox.image.wire import REQUEST_BYTES, Ending, Kind, Reply, Request
from sandbox.streams import AttachedStreams
from sandbox.worker import Worker, WorkerFaultError, WorkerLostError

HELLO = Reply(Ending.HELLO, 0).pack()
REQUEST = Request(Kind.RUN, 0, cpu_ms=1000, wall_ms=1000, memory_bytes=2**28, result_bytes=100)


def framed(content: bytes, stream: int = 1) -> bytes:
    """Wrap bytes as the engine does those of an attached stream."""
    return struct.pack(">BxxxI", stream, len(content)) + content


class FakeContainer:
    """The far end of a container's streams, played by the test."""

    def __init__(self) -> None:
        self._near, self.far = socket.socketpair()
        self.far.setblocking(False)
        self._streams = AttachedStreams()
        self.unframe = self._streams.unframe
        self.last_words = self._streams.last_words
        self.name = "fake"

    def socket(self) -> socket.socket:
        return self._near

    def remove(self) -> None:
        self.far.close()

    async def receive_request(self) -> tuple[Request, bytes]:
        loop = asyncio.get_running_loop()
        request = Request.unpack(await loop.sock_recv(self.far, REQUEST_BYTES))
        body = await loop.sock_recv(self.far, request.body_bytes) if request.body_bytes else b""
        return request, body

    async def send(self, data: bytes, piece: int | None = None) -> None:
        for start in range(0, len(data), piece or len(data)):
            await asyncio.get_running_loop().sock_sendall(
                self.far, data[start : start + (piece or len(data))]
            )
            await asyncio.sleep(0)


@pytest_asyncio.fixture
async def container() -> AsyncIterator[FakeContainer]:
    container = FakeContainer()
    yield container
    container.far.close()


async def attach(container: FakeContainer) -> Worker:
    await container.send(framed(HELLO))
    return await Worker.attach(container)


@pytest.mark.parametrize("piece", [1, 7, 1000])
async def test_a_reply_is_put_together_from_any_pieces(container: FakeContainer, piece: int):
    worker = await attach(container)
    running = asyncio.create_task(worker.run(REQUEST, b"body"))
    request, body = await container.receive_request()
    reply = Reply(Ending.EXITED, request.sequence, payload_bytes=6).pack()

    await container.send(framed(reply[:5]) + framed(reply[5:] + b"pay") + framed(b"load"[:3]), piece)
    answer = await running

    assert (request.body_bytes, body) == (4, b"body")
    assert answer.payload == b"payloa"
    worker.close()


@pytest.mark.parametrize(
    "nonsense",
    [
        b"\xff" * 100,
        Reply(Ending.EXITED, 77).pack(),
        Reply(Ending.EXITED, 1, payload_bytes=101).pack(),
        Reply(Ending.EXITED, 1, payload_bytes=2**32 - 1).pack(),
    ],
    ids=["unknown ending", "another program's", "larger than asked", "4 GiB announced"],
)
async def test_what_is_not_the_reply_loses_the_worker(container: FakeContainer, nonsense: bytes):
    worker = await attach(container)
    running = asyncio.create_task(worker.run(REQUEST, b""))
    await container.receive_request()

    await container.send(framed(nonsense))

    with pytest.raises(WorkerLostError):
        await running
    assert not worker.alive


async def test_a_reply_that_nobody_asked_for_loses_the_worker(container: FakeContainer):
    worker = await attach(container)

    await container.send(framed(Reply(Ending.EXITED, 1).pack()))
    await asyncio.sleep(0.01)

    assert not worker.alive
    with pytest.raises(WorkerLostError):
        await worker.run(REQUEST, b"")


async def test_the_last_words_of_a_lost_container_are_told(container: FakeContainer):
    worker = await attach(container)
    running = asyncio.create_task(worker.run(REQUEST, b""))
    await container.receive_request()

    await container.send(framed(b"MemoryError: no room\n", stream=2))
    container.far.close()

    with pytest.raises(WorkerLostError, match="connection lost: MemoryError: no room"):
        await running


async def test_a_container_that_never_gets_ready_is_lost(container: FakeContainer):
    await container.send(framed(b"no seccomp here", stream=2))
    container.far.close()

    with pytest.raises(WorkerLostError, match="no seccomp here"):
        await Worker.attach(container)


async def test_cancelling_tells_the_supervisor_and_drops_the_reply(container: FakeContainer):
    worker = await attach(container)
    first = asyncio.create_task(worker.run(REQUEST, b""))
    await container.receive_request()
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first

    cancelling = asyncio.create_task(worker.cancel())
    request, _ = await container.receive_request()
    await container.send(framed(Reply(Ending.CANCELLED, 1).pack()))
    await cancelling
    second = asyncio.create_task(worker.run(REQUEST, b""))
    await container.receive_request()
    await container.send(framed(Reply(Ending.EXITED, 2, exit_code=5).pack()))

    assert request.kind is Kind.CANCEL
    assert (await second).reply.exit_code == 5
    worker.close()


async def test_a_program_that_could_not_be_started_is_no_fault_of_its_own(container: FakeContainer):
    worker = await attach(container)
    running = asyncio.create_task(worker.run(REQUEST, b""))
    await container.receive_request()

    await container.send(framed(Reply(Ending.NOT_STARTED, 1, payload_bytes=7).pack() + b"no room"))

    with pytest.raises(WorkerFaultError, match="not started: no room"):
        await running
    worker.close()
