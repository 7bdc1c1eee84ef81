"""The three RPCs: bytes in, bytes out, and what makes a call a bad one.

Requests arrive as bytes, so that their size and form are judged here and answered with
INVALID_ARGUMENT, not by the transport.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Sequence
from typing import TypeVar

import grpc
from google.protobuf.message import DecodeError, Message
from reward.v1 import reward_pb2 as pb

from reward_server import wire
from reward_server.api import Failure, FailureKind, Outcome, Sample
from reward_server.errors import OverloadedError, RequestError
from reward_server.recording.recorder import Recorder
from reward_server.recording.rows import as_batch
from reward_server.registry import Registry
from reward_server.scoring.fair import Caller, Priority
from reward_server.scoring.pace import Pace, Turnstile
from reward_server.scoring.scorer import Scorer
from reward_server.serving.guard import Calls, Context, Guard

SERVICE: str = pb.DESCRIPTOR.services_by_name["RewardService"].full_name
MAX_MESSAGE_BYTES = 64 * 1024 * 1024
MAX_SAMPLES = 8_192
# Ids are remembered for the length of a call, and repeated to the caller.
MAX_ID_CHARS = 1_024
# Samples of one stream that are graded at once; beyond that the caller's writes wait.
MAX_STREAM_IN_FLIGHT = 1_024
# The answer leaves this share of the time left before the deadline, at most so many seconds.
MARGIN_SHARE = 0.1
MAX_MARGIN_S = 2.0
# The metadata key of a call by which its priority is told; without it a call is for training.
PRIORITY_KEY = "assay-priority"

_MessageT = TypeVar("_MessageT", bound=Message)


class RewardService:
    """Answers the RPCs of reward.v1.RewardService. `deadline_s` is for calls without one."""

    def __init__(
        self,
        scorer: Scorer,
        registry: Registry,
        calls: Calls,
        *,
        deadline_s: float,
        server_version: str,
        configuration_hash: str,
        recorder: Recorder | None = None,
    ) -> None:
        self._scorer = scorer
        self._registry = registry
        self._calls = calls
        self._turnstile = Turnstile()
        self._deadline_s = deadline_s
        self._server_version = server_version
        self._configuration_hash = configuration_hash
        self._recorder = recorder

    def handler(self) -> grpc.GenericRpcHandler:
        """Return what a `grpc.aio.Server` needs to serve this."""
        return grpc.method_handlers_generic_handler(
            SERVICE,
            {
                "Score": grpc.unary_unary_rpc_method_handler(self.score),
                "ScoreStream": grpc.stream_stream_rpc_method_handler(self.score_stream),
                "ListRewards": grpc.unary_unary_rpc_method_handler(self.list_rewards),
            },
        )

    async def score(self, data: bytes, context: Context) -> bytes:
        """Grade a batch; outcomes in request order."""
        deadline = self._deadline(context)
        async with self._calls.guard("Score", context) as call:
            call.tally.received_bytes += len(data)
            with self._turnstile.pace(_caller(context)) as pace:
                request = _parse(pb.ScoreRequest, data)
                samples = await _read(request.samples, call, pace)
                outcomes = await self._scorer.score(samples, deadline=deadline, pace=pace)
                answer = await _write(samples, outcomes, call, pace)
            if self._recorder is not None:
                self._recorder.add(data, answer, rows=len(samples))
            return answer

    async def score_stream(self, requests: AsyncIterator[bytes], context: Context) -> None:
        """Grade samples as they arrive; outcomes as they finish."""
        room = asyncio.Semaphore(MAX_STREAM_IN_FLIGHT)
        async with self._calls.guard("ScoreStream", context) as call, asyncio.TaskGroup() as group:
            caller = _caller(context)
            async for data, sample in _incoming(requests, call):
                await room.acquire()
                task = group.create_task(self._answer(data, sample, context, call, caller))
                task.add_done_callback(lambda _: room.release())

    async def list_rewards(self, data: bytes, context: Context) -> bytes:
        """Say which rewards there are, in which versions."""
        async with self._calls.guard("ListRewards", context):
            _parse(pb.ListRewardsRequest, data)
            response = pb.ListRewardsResponse(
                server_version=self._server_version, configuration_hash=self._configuration_hash
            )
            for entry in self._registry.entries:
                wire.write_reward(entry, response.rewards.add())
            return response.SerializeToString()

    def _deadline(self, context: Context) -> float:
        """Return when to answer, on the clock of `time.perf_counter`: a little before the caller gives up."""
        left_s = _time_left(context)
        if left_s is None:
            left_s = self._deadline_s
        return time.perf_counter() + left_s - min(MAX_MARGIN_S, MARGIN_SHARE * left_s)

    async def _answer(
        self, data: bytes, sample: Sample, context: Context, call: Guard, caller: Caller
    ) -> None:
        deadline = self._deadline(context)
        try:
            with self._turnstile.pace(caller) as pace:
                (outcome,) = await self._scorer.score([sample], deadline=deadline, pace=pace)
        except OverloadedError as error:  # in a stream a full queue costs the sample, not the call
            failure = Failure(kind=FailureKind.OVERLOADED, message=str(error))
            version = self._registry.find(sample.reward).version
            outcome = Outcome(sample_id=sample.sample_id, result=failure, reward_version=version)
        message = pb.Outcome()
        wire.write_outcome(outcome, message)
        call.tally.add_outcome(sample.reward, outcome)
        answer = message.SerializeToString()
        if self._recorder is not None:
            self._recorder.add(as_batch(data), as_batch(answer), rows=1)
        async with call.writing:
            await _whole(context.write(answer))


async def _whole(write: Awaitable[None]) -> None:
    """Let a write end even when it is cancelled: gRPC can send no status while a message is on its way."""
    writing = asyncio.ensure_future(write)
    try:
        await asyncio.shield(writing)
    except asyncio.CancelledError:
        await asyncio.gather(writing, return_exceptions=True)
        raise


def _time_left(context: Context) -> float | None:
    """Return the seconds until the caller gives up, None when it brought no deadline."""
    return context.time_remaining()


def _caller(context: Context) -> Caller:
    """Return a new caller, of the priority that the call's metadata asks for.

    Raises:
        RequestError: there is no such priority.
    """
    for key, value in context.invocation_metadata() or ():
        if key == PRIORITY_KEY:
            try:
                return Caller(priority=Priority(value))
            except ValueError as error:
                known = " or ".join(repr(each.value) for each in Priority)
                raise RequestError(PRIORITY_KEY, f"{value!r} is no priority, send {known}") from error
    return Caller()


async def _incoming(requests: AsyncIterator[bytes], call: Guard) -> AsyncIterator[tuple[bytes, Sample]]:
    seen: set[str] = set()
    async for data in requests:
        call.tally.received_bytes += len(data)
        message = _parse(pb.Sample, data)
        _check_id(message.sample_id, len(seen), seen)
        sample = wire.read_sample(message)
        call.tally.add_sample(sample)
        yield data, sample


def _parse(kind: type[_MessageT], data: bytes) -> _MessageT:
    """Read a message of bounded size.

    Raises:
        RequestError: too large, or not of this kind.
    """
    name = kind.DESCRIPTOR.name
    if len(data) > MAX_MESSAGE_BYTES:
        raise RequestError(
            name,
            f"the message has {len(data)} bytes, at most {MAX_MESSAGE_BYTES} (64 MiB) are taken: split it",
        )
    try:
        return kind.FromString(data)
    except DecodeError as error:
        raise RequestError(name, f"the bytes are no {kind.DESCRIPTOR.full_name}: {error}") from error


def _check_id(sample_id: str, index: int, seen: set[str]) -> None:
    if not sample_id:
        raise RequestError(f"samples[{index}].sample_id", "is empty, give each sample of a call its own id")
    if len(sample_id) > MAX_ID_CHARS:
        raise RequestError(
            f"samples[{index}].sample_id",
            f"has {len(sample_id)} characters, at most {MAX_ID_CHARS} are taken: send a shorter one",
        )
    if sample_id in seen:
        raise RequestError(
            f"samples[{index}].sample_id", f"{sample_id!r} is repeated, give each sample of a call its own id"
        )
    seen.add(sample_id)


async def _read(messages: Sequence[pb.Sample], call: Guard, pace: Pace) -> list[Sample]:
    """Read a batch, refusing one that is empty, too long, or whose ids are empty or repeated.

    Raises:
        RequestError: names the first field that is wrong.
    """
    if not messages:
        raise RequestError("samples", "there is no sample in the call, send at least one")
    if len(messages) > MAX_SAMPLES:
        raise RequestError(
            "samples", f"there are {len(messages)} samples, at most {MAX_SAMPLES} are taken: split the call"
        )
    seen: set[str] = set()
    samples: list[Sample] = []
    for index, message in enumerate(messages):
        if pace.due():
            await pace.rest()
        sample = wire.read_sample(message)
        _check_id(sample.sample_id, index, seen)
        call.tally.add_sample(sample)
        samples.append(sample)
    return samples


async def _write(samples: Sequence[Sample], outcomes: Sequence[Outcome], call: Guard, pace: Pace) -> bytes:
    response = pb.ScoreResponse()
    for sample, outcome in zip(samples, outcomes, strict=True):
        if pace.due():
            await pace.rest()
        wire.write_outcome(outcome, response.outcomes.add())
        call.tally.add_outcome(sample.reward, outcome)
    return response.SerializeToString()
