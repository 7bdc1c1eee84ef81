"""Sends samples, returns outcomes: split, several calls in flight, balanced, retried, matched.

`AsyncRewardClient` does the work; `RewardClient` is the same for code without an event
loop. A failure of a sample is an outcome; only a call that cannot be completed raises.
"""

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from types import TracebackType
from typing import Any, Protocol, Self, TypeVar

import grpc
from reward.v1 import reward_pb2 as pb

from reward_client.addresses import target_of
from reward_client.api import Outcome, Priority, RewardInfo, RewardUnavailableError, Sample
from reward_client.batches import Batch, in_order, join, split
from reward_client.channels import (
    LIST_REWARDS,
    SCORE,
    Metadata,
    metadata_of,
    open_channel,
    traced,
)
from reward_client.direct import DirectCalls
from reward_client.pacing import Window
from reward_client.retries import OnRetry, Retry, log_retry, pushback_s, refuse, wait_s
from reward_client.security import Security
from reward_client.wire import read_reward

DEFAULT_TIMEOUT_S = 300.0
PLAIN = Security()

_SentT_contra = TypeVar("_SentT_contra", contravariant=True)
_GotT_co = TypeVar("_GotT_co", covariant=True)
_SentT = TypeVar("_SentT")
_T = TypeVar("_T")


class _Rpc(Protocol[_SentT_contra, _GotT_co]):
    def __call__(
        self, request: _SentT_contra, *, timeout: float, metadata: Metadata
    ) -> Awaitable[_GotT_co]: ...


class AsyncRewardClient:
    """A client for one event loop; make it, use it and close it there."""

    def __init__(
        self,
        addresses: str | Sequence[str],
        *,
        on_retry: OnRetry = log_retry,
        security: Security = PLAIN,
        priority: Priority = Priority.TRAINING,
    ) -> None:
        self._target = target_of(addresses)
        self._on_retry = on_retry
        self._metadata = metadata_of(security, priority)
        self._channel = open_channel(self._target, security.credentials())
        self._window = Window()
        self._writing = asyncio.Lock()
        self._score: _Rpc[bytes, pb.ScoreResponse] = self._channel.unary_unary(
            SCORE,
            response_deserializer=pb.ScoreResponse.FromString,
        )
        self._list: _Rpc[pb.ListRewardsRequest, pb.ListRewardsResponse] = self._channel.unary_unary(
            LIST_REWARDS,
            request_serializer=pb.ListRewardsRequest.SerializeToString,
            response_deserializer=pb.ListRewardsResponse.FromString,
        )

    async def score(
        self,
        samples: Sequence[Sample],
        *,
        timeout_s: float = DEFAULT_TIMEOUT_S,
        traceparent: str | None = None,
    ) -> list[Outcome]:
        """Grade samples; outcomes come back in their order, one each.

        `traceparent` is a W3C trace context: the server's spans go below the caller's.

        Raises:
            RewardRequestError: a sample is malformed; nothing was or will be graded.
            RewardUnavailableError: no server answered within `timeout_s`.
            RewardClientError: a server answered with something else than outcomes.
        """
        deadline = time.monotonic() + timeout_s
        return await self.send(samples, split(samples), deadline, traced(self._metadata, traceparent))

    async def send(
        self, samples: Sequence[Sample], batches: Sequence[Batch], deadline: float, metadata: Metadata
    ) -> list[Outcome]:
        """Send what `split` made of `samples`; `deadline` is on `time.monotonic`'s clock. See `score`."""
        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(self._send(batch, deadline, metadata)) for batch in batches]
        except ExceptionGroup as errors:
            # The first call that fails ends the others; its error is the one to act on.
            raise errors.exceptions[0] from errors
        return in_order(samples, [task.result() for task in tasks])

    async def list_rewards(self, *, timeout_s: float = 30.0) -> list[RewardInfo]:
        """Say which rewards the server has.

        Raises:
            RewardUnavailableError: no server answered within `timeout_s`.
        """
        deadline = time.monotonic() + timeout_s
        response = await self._call(self._list, pb.ListRewardsRequest, deadline, self._metadata)
        return [read_reward(reward) for reward in response.rewards]

    async def wait_ready(self, timeout_s: float) -> None:
        """Return when a server answers.

        Raises:
            RewardUnavailableError: none did within `timeout_s`.
        """
        await self.list_rewards(timeout_s=timeout_s)

    async def close(self) -> None:
        """Close the connections; calls in flight end with an error."""
        await self._channel.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def _send(self, batch: Batch, deadline: float, metadata: Metadata) -> list[Outcome]:
        return join(batch.sample_ids, await self._call(self._score, batch.encode, deadline, metadata))

    async def _call(
        self, rpc: _Rpc[_SentT, _T], request: Callable[[], _SentT], deadline: float, metadata: Metadata
    ) -> _T:
        """Send one call until it is answered, refused for good, or out of time."""
        attempt = 0
        reason = "no room for a call"
        while True:
            attempt += 1
            try:
                return await self._attempt(rpc, request, deadline, metadata)
            except TimeoutError as error:
                raise RewardUnavailableError(f"no answer before the deadline; {reason}") from error
            except grpc.aio.AioRpcError as error:
                if refusal := refuse(error.code(), error.details() or ""):
                    raise refusal from error
                # Running out of time says less than the failure before it.
                if attempt == 1 or error.code() is not grpc.StatusCode.DEADLINE_EXCEEDED:
                    reason = f"{self._target}: {error.code().name}: {error.details()}"
                wait = max(wait_s(attempt), pushback_s(error))
                left_s = deadline - time.monotonic()
                if left_s <= wait:
                    raise RewardUnavailableError(f"no answer before the deadline; {reason}") from error
            self._on_retry(Retry(attempt=attempt, wait_s=wait, left_s=left_s, reason=reason))
            await asyncio.sleep(wait)

    async def _attempt(
        self, rpc: _Rpc[_SentT, _T], request: Callable[[], _SentT], deadline: float, metadata: Metadata
    ) -> _T:
        async with asyncio.timeout(deadline - time.monotonic()):
            sent = await self._window.enter()
        try:
            # One at a time: gRPC starts a call on the loop's next turn, so this one leaves
            # before the next is written, and a server begins with the first.
            async with self._writing:
                message = request()
                left_s = max(0.0, deadline - time.monotonic())
                answering = rpc(message, timeout=left_s, metadata=metadata)
            answer = await answering
        except grpc.aio.AioRpcError as error:
            if error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED:
                self._window.refused(sent, pushback_s(error) or wait_s(1))
            raise
        else:
            self._window.answered()
            return answer
        finally:
            self._window.leave()


class RewardClient:
    """The client for code without an event loop; safe to use from several threads.

    `on_retry` is called on the client's own thread.
    """

    def __init__(
        self,
        addresses: str | Sequence[str],
        *,
        on_retry: OnRetry = log_retry,
        security: Security = PLAIN,
        priority: Priority = Priority.TRAINING,
    ) -> None:
        self._metadata = metadata_of(security, priority)
        self._direct = DirectCalls(target_of(addresses), security.credentials())
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="reward_client", daemon=True)
        self._thread.start()
        try:
            self._client = self._run(_make(addresses, on_retry, security, priority))
        except BaseException:
            self._direct.close()
            self._stop()
            raise

    def score(
        self,
        samples: Sequence[Sample],
        *,
        timeout_s: float = DEFAULT_TIMEOUT_S,
        traceparent: str | None = None,
    ) -> list[Outcome]:
        """Grade samples; see `AsyncRewardClient.score`."""
        deadline = time.monotonic() + timeout_s
        batches, metadata = split(samples), traced(self._metadata, traceparent)
        if len(batches) == 1:
            response = self._direct.score(batches[0], deadline, metadata)
            if response is not None:
                return in_order(samples, [join(batches[0].sample_ids, response)])
        return self._run(self._client.send(samples, batches, deadline, metadata))

    def list_rewards(self, *, timeout_s: float = 30.0) -> list[RewardInfo]:
        """Say which rewards the server has; see `AsyncRewardClient.list_rewards`."""
        return self._run(self._client.list_rewards(timeout_s=timeout_s))

    def wait_ready(self, timeout_s: float) -> None:
        """Return when a server answers; see `AsyncRewardClient.wait_ready`."""
        self._run(self._client.wait_ready(timeout_s))

    def close(self) -> None:
        """Close the connections and end the thread; closing twice does nothing."""
        if not self._loop.is_closed():
            self._direct.close()
            self._run(self._client.close())
            self._stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _run(self, work: Coroutine[Any, Any, _T]) -> _T:
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result()
        except BaseException:
            # An interrupt in this thread must also end the work in the other.
            future.cancel()
            raise

    def _stop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


async def _make(
    addresses: str | Sequence[str], on_retry: OnRetry, security: Security, priority: Priority
) -> AsyncRewardClient:
    return AsyncRewardClient(addresses, on_retry=on_retry, security=security, priority=priority)
