"""What is around every call: errors become status codes, and the call gets its log line.

One of the two places that may meet any exception (the other is `errors.boundary`): a
defect of ours ends this call with INTERNAL and is logged, and the server goes on.
"""

import asyncio
import time
from collections.abc import Mapping
from types import TracebackType
from typing import Self, cast

import grpc
from google.protobuf import any_pb2, duration_pb2
from google.rpc import error_details_pb2, status_pb2  # pyright: ignore[reportMissingTypeStubs]

from reward_server.errors import OverloadedError, RequestError
from reward_server.observing import UNOBSERVED, CallReport, Observer
from reward_server.serving.tokens import Tokens
from reward_server.telemetry import Tally, logger, trace_of

# More are refused, whatever they carry.
MAX_CALLS = 1_024
RETRY_AFTER_S = 1.0

Context = grpc.aio.ServicerContext[bytes, bytes]


class Calls:
    """The calls in flight, and which new ones are let in. No `tokens`: no caller has to bring one."""

    def __init__(self, tokens: Tokens | None = None, observer: Observer = UNOBSERVED) -> None:
        self.observer = observer
        self._tokens = tokens
        self._open: set[Guard] = set()
        self._ended = asyncio.Event()
        self._draining = False

    def none_open(self) -> bool:
        """Say whether no call is being answered."""
        return not self._open

    def guard(self, rpc: str, context: Context) -> "Guard":
        """Return the guard of one call, to be entered with `async with`."""
        return Guard(rpc, context, self)

    async def drain(self) -> None:
        """Refuse new calls from now on, and return when those in flight have ended."""
        self._draining = True
        while self._open:
            self._ended.clear()
            await self._ended.wait()

    def enter(
        self, guard: "Guard", metadata: Mapping[str, str | bytes]
    ) -> tuple[grpc.StatusCode, str] | None:
        """Let a call in, or say why not.

        Raises:
            OverloadedError: there are too many.
        """
        if self._tokens is not None and not self._tokens.admit(metadata.get("authorization", "")):
            return grpc.StatusCode.UNAUTHENTICATED, "the call brings no bearer token of this server"
        if self._draining:
            return grpc.StatusCode.UNAVAILABLE, "the server is stopping; send the call again"
        if len(self._open) >= MAX_CALLS:
            raise OverloadedError(
                f"{MAX_CALLS} calls are being answered; send the call again later, or fewer and larger ones",
                retry_after_s=RETRY_AFTER_S,
            )
        self._open.add(guard)
        return None

    def leave(self, guard: "Guard") -> None:
        """Let a call out."""
        self._open.discard(guard)
        self._ended.set()


class Guard:
    """One call. What it did is counted in `tally`; `writing` keeps a stream's messages apart."""

    def __init__(self, rpc: str, context: Context, calls: Calls) -> None:
        self.tally = Tally()
        self.writing = asyncio.Lock()
        self._rpc = rpc
        self._context = context
        self._calls = calls
        self._metadata = dict(context.invocation_metadata() or ())
        self._began_ns = time.time_ns()
        self._started = time.perf_counter()
        self._peer = context.peer()

    async def __aenter__(self) -> Self:
        self._calls.observer.call_began()
        try:
            refusal = self._calls.enter(self, self._metadata)
        except OverloadedError as error:
            await self._refuse(error)
            raise
        if refusal is not None:
            self._report(refusal[0], self._seconds())
            await self._context.abort(*refusal)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._calls.leave(self)
        error = _first(error)
        code = _code(error)
        if error is None:
            # On the loop's next turn: the caller does not wait for our books.
            asyncio.get_running_loop().call_soon(self._report, code, self._seconds())
            return
        self._report(code, self._seconds())
        if isinstance(error, Exception):
            details = str(error)
            if code is grpc.StatusCode.INTERNAL:
                details = f"a defect of the server: {type(error).__name__}; its log has the trace"
                logger().error(
                    "server_defect", rpc=self._rpc, error=type(error).__name__, trace=trace_of(error)
                )
            await self._context.abort(code, details, _trailers(error, code, details))

    async def _refuse(self, error: OverloadedError) -> None:
        code, details = _code(error), str(error)
        self._report(code, self._seconds())
        await self._context.abort(code, details, _trailers(error, code, details))

    def _seconds(self) -> float:
        return time.perf_counter() - self._started

    def _report(self, code: grpc.StatusCode, seconds: float) -> None:
        """Tell the observer of the call, which took so many seconds, and write its line."""
        traceparent = self._metadata.get("traceparent", "")
        report = CallReport(
            rpc=self._rpc,
            code=code.name,
            began_ns=self._began_ns,
            seconds=seconds,
            received_bytes=self.tally.received_bytes,
            traceparent=traceparent if isinstance(traceparent, str) else "",
            parts=self.tally.parts,
        )
        trace_id = self._calls.observer.call_ended(report)
        log = logger().error if code is grpc.StatusCode.INTERNAL else logger().info
        log(
            "call",
            rpc=self._rpc,
            code=code.name,
            ms=round(seconds * 1e3, 2),
            peer=self._peer,
            trace_id=trace_id,
            **self.tally.fields(),
        )


def _first(error: BaseException | None) -> BaseException | None:
    """Return the error that ended the others of a stream's task group, or the error itself."""
    if isinstance(error, BaseExceptionGroup):
        # The check alone does not say what a group holds.
        return cast("BaseExceptionGroup[BaseException]", error).exceptions[0]
    return error


def _code(error: BaseException | None) -> grpc.StatusCode:
    match error:
        case None:
            return grpc.StatusCode.OK
        case RequestError():
            return grpc.StatusCode.INVALID_ARGUMENT
        case OverloadedError():
            return grpc.StatusCode.RESOURCE_EXHAUSTED
        case asyncio.CancelledError():
            return grpc.StatusCode.CANCELLED
        case _:
            return grpc.StatusCode.INTERNAL


def _trailers(error: Exception, code: grpc.StatusCode, details: str) -> tuple[tuple[str, str | bytes], ...]:
    """Say the same as the status in google.rpc's words, for programs."""
    number: int = code.value[0]
    status = status_pb2.Status(code=number, message=details)
    trailers: list[tuple[str, str | bytes]] = []
    detail = any_pb2.Any()
    if isinstance(error, RequestError):
        violation = error_details_pb2.BadRequest.FieldViolation(field=error.field, description=error.message)
        detail.Pack(error_details_pb2.BadRequest(field_violations=[violation]))
        status.details.append(detail)
    elif isinstance(error, OverloadedError):
        delay = duration_pb2.Duration()
        delay.FromMilliseconds(round(error.retry_after_s * 1e3))
        detail.Pack(error_details_pb2.RetryInfo(retry_delay=delay))
        status.details.append(detail)
        # What gRPC's own retries go by.
        trailers.append(("grpc-retry-pushback-ms", str(delay.ToMilliseconds())))
    return ("grpc-status-details-bin", status.SerializeToString()), *trailers
