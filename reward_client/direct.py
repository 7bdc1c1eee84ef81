"""One small call on the thread of its caller: half the latency of the way over the event loop.

Only a first attempt. Whatever does not end it at once (a full queue, a lost connection) is
left to the client's own way, which waits, paces itself and asks again.
"""

import threading
import time

import grpc
from reward.v1 import reward_pb2 as pb

from reward_client.api import RewardUnavailableError
from reward_client.batches import Batch
from reward_client.channels import SCORE, Metadata, open_blocking_channel
from reward_client.pacing import LARGEST_WINDOW
from reward_client.retries import refuse

# Of more samples the grading takes longer than a hop between threads.
LARGEST = 32


class DirectCalls:
    """A blocking channel of its own; safe to use from several threads."""

    def __init__(self, target: str, credentials: grpc.ChannelCredentials | None) -> None:
        self._target = target
        self._channel = open_blocking_channel(target, credentials)
        self._score: grpc.UnaryUnaryMultiCallable[bytes, pb.ScoreResponse] = self._channel.unary_unary(
            SCORE, response_deserializer=pb.ScoreResponse.FromString
        )
        self._room = threading.BoundedSemaphore(LARGEST_WINDOW)

    def score(self, batch: Batch, deadline: float, metadata: Metadata) -> pb.ScoreResponse | None:
        """Send a call once; None when it has to be sent again. `deadline` is on `time.monotonic`'s clock.

        Raises:
            RewardRequestError: the server finds the call malformed.
            RewardUnavailableError: there was no answer before the deadline.
            RewardClientError: the server refused the call for good.
        """
        if len(batch.samples) > LARGEST or not self._room.acquire(blocking=False):
            return None
        try:
            return self._score(
                batch.encode(), timeout=max(0.0, deadline - time.monotonic()), metadata=metadata
            )
        except grpc.RpcError as error:
            code, details = error.code(), error.details() or ""
            if refusal := refuse(code, details):
                raise refusal from error
            if code is grpc.StatusCode.DEADLINE_EXCEEDED:
                raise RewardUnavailableError(
                    f"no answer before the deadline; {self._target}: {code.name}: {details}"
                ) from error
            return None
        finally:
            self._room.release()

    def close(self) -> None:
        """Close the connection; calls in flight end with an error."""
        self._channel.close()
