"""What Ray's gRPC proxy is given: our methods as bytes, with the time that a call has left.

Ray replaces the behaviour of every handler by its own, which carries the request to a
replica. It does not carry the deadline, so the request is wrapped together with it here,
on the proxy, where the call is still a real one.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import grpc
from grpc_health.v1 import health_pb2

from reward_server.serving.service import SERVICE

_HEALTH: str = health_pb2.DESCRIPTOR.services_by_name["Health"].full_name
# Ray calls the method of the deployment that bears the last part of the name.
UNARY = (f"/{SERVICE}/Score", f"/{SERVICE}/ListRewards", f"/{_HEALTH}/Check")
STREAM = f"/{SERVICE}/ScoreStream"

_Context = grpc.aio.ServicerContext[Any, bytes]


@dataclass(frozen=True, slots=True)
class Call:
    """A request on its way to a replica. `left_s` is None when the caller set no deadline."""

    data: bytes
    left_s: float | None


def add_reward_service(servicer: object, server: grpc.aio.Server) -> None:
    """Register our methods with Ray's proxy; the name of this function is in Ray's options."""
    server.add_generic_rpc_handlers((_Methods(),))


class _Methods(grpc.GenericRpcHandler):
    """Answers with Ray's handlers. `_method_handlers` is where Ray finds ours and puts its own."""

    def __init__(self) -> None:
        self._method_handlers: dict[str, grpc.RpcMethodHandler[Any, bytes]] = {
            method: grpc.unary_unary_rpc_method_handler(_unreplaced) for method in UNARY
        }
        self._method_handlers[STREAM] = grpc.stream_stream_rpc_method_handler(_unreplaced)

    def service(
        self, handler_call_details: grpc.HandlerCallDetails
    ) -> "grpc.RpcMethodHandler[Any, bytes] | None":
        handler = self._method_handlers.get(handler_call_details.method)
        if handler is None or handler.unary_unary is None or handler.request_streaming:
            return handler
        return grpc.unary_unary_rpc_method_handler(_with_time_left(handler.unary_unary))


def _with_time_left(behaviour: Callable[..., Any]) -> Callable[[bytes, _Context], Awaitable[bytes]]:
    async def timed(data: bytes, context: _Context) -> bytes:
        return await behaviour(Call(data, context.time_remaining()), context)

    return timed


async def _unreplaced(request: object, context: object) -> bytes:
    raise NotImplementedError("Ray did not replace the handler: this ray is not the one that was tested")
