"""From Ray's calling convention to a server on loopback, and back: bytes, status, details, trailers.

The server in the replica is the one that runs everywhere else, so a call means the same
here. Ray drops the trailers of a call that raises; a call that returns with a status code
set keeps them, so that is how every refusal leaves.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Iterable
from dataclasses import dataclass
from typing import Protocol

import grpc

from reward_server.ray_serve.ingress import STREAM, UNARY, Call

Pairs = Iterable[tuple[str, str | bytes]]

_METHODS = {method.rpartition("/")[2]: method for method in UNARY}
# Belongs to the connection that the call came over, not to the call.
_HOP = ("grpc-", ":", "user-agent", "content-type", "te")
_OPTIONS = (("grpc.max_send_message_length", -1), ("grpc.max_receive_message_length", -1))


class RayContext(Protocol):
    """What we use of `ray.serve.grpc_util.RayServegRPCContext`."""

    def invocation_metadata(self) -> Pairs: ...
    def set_code(self, code: grpc.StatusCode) -> None: ...
    def set_details(self, details: str) -> None: ...
    def set_trailing_metadata(self, trailing_metadata: list[tuple[str, str | bytes]]) -> None: ...


@dataclass(frozen=True, slots=True)
class Answer:
    """Bytes in the shape of a message: Ray asks for `SerializeToString`."""

    data: bytes

    def SerializeToString(self) -> bytes:  # noqa: N802  (protobuf's name)
        return self.data


class Relay:
    """A channel to the server of this replica."""

    def __init__(self, address: str) -> None:
        self._channel = grpc.aio.insecure_channel(address, options=_OPTIONS)

    async def unary(self, name: str, call: Call, context: RayContext) -> Answer:
        """Pass one call on; whatever status it ends with is set on `context`."""
        rpc: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = self._channel.unary_unary(_METHODS[name])
        try:
            return Answer(await rpc(call.data, timeout=call.left_s, metadata=_metadata(context)))
        except grpc.aio.AioRpcError as error:
            _refuse(error, context)
            return Answer(b"")

    async def stream(self, requests: AsyncIterator[bytes], context: RayContext) -> AsyncGenerator[Answer]:
        """Pass a stream on, both ways at once."""
        rpc: grpc.aio.StreamStreamMultiCallable[bytes, bytes] = self._channel.stream_stream(STREAM)
        call = rpc(requests, metadata=_metadata(context))
        try:
            async for data in call:
                yield Answer(data)
        except grpc.aio.AioRpcError as error:
            _refuse(error, context)
            # Ray takes over what is on the context together with a message, so a stream needs one more;
            # an empty one is no outcome, and the status that follows ends the call.
            yield Answer(b"")

    async def close(self) -> None:
        """Close the channel."""
        await self._channel.close()


def _metadata(context: RayContext) -> grpc.aio.Metadata:
    pairs = ((key, value) for key, value in context.invocation_metadata() if not key.startswith(_HOP))
    return grpc.aio.Metadata(*pairs)


def _refuse(error: grpc.aio.AioRpcError, context: RayContext) -> None:
    context.set_code(error.code())
    context.set_details(error.details() or "")
    context.set_trailing_metadata([(key, value) for key, value in error.trailing_metadata()])
