"""When a call is sent again, and how long to wait before it.

Two layers. gRPC's own, by the service config, is for UNAVAILABLE and covers seconds: a lost
connection; its budget keeps a fleet of clients from multiplying the load. The outer one
covers what lasts longer, a restart of the server or a full queue, up to the caller's
deadline, and tells `on_retry` about it. A full queue says when to come back, and makes the
client send fewer calls at once (see `pacing`).
"""

import json
import logging
import random
from collections.abc import Callable
from dataclasses import dataclass

import grpc

from reward_client.api import RewardClientError, RewardRequestError

FIRST_WAIT_S = 0.5
LONGEST_WAIT_S = 5.0

# CANCELLED by the other side is a server that was stopped with our call in it.
_RETRIED = frozenset(
    {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.CANCELLED}
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Retry:
    """A call failed and is sent again after `wait_s`; the caller gives up after `left_s`."""

    attempt: int
    wait_s: float
    left_s: float
    reason: str


OnRetry = Callable[[Retry], None]


def log_retry(retry: Retry) -> None:
    """Say on the log that rewards are waited for."""
    logging.getLogger("reward_client").warning(
        "waiting for rewards: %s; attempt %d failed, next in %.1f s, %.0f s left",
        retry.reason,
        retry.attempt,
        retry.wait_s,
        retry.left_s,
    )


def service_config(service: str) -> str:
    """Return gRPC's own policy: round robin over all addresses, and quick retries with a budget."""
    return json.dumps(
        {
            "loadBalancingConfig": [{"round_robin": {}}],
            "methodConfig": [
                {
                    "name": [{"service": service}],
                    "retryPolicy": {
                        "maxAttempts": 4,
                        "initialBackoff": "0.1s",
                        "maxBackoff": "2s",
                        "backoffMultiplier": 3,
                        "retryableStatusCodes": ["UNAVAILABLE"],
                    },
                }
            ],
            # Each failure costs a token, each success earns a tenth; below half, no retries.
            "retryThrottling": {"maxTokens": 100, "tokenRatio": 0.1},
        }
    )


def wait_s(attempt: int) -> float:
    """Return seconds before the next attempt: doubling, bounded, with jitter."""
    longest = min(LONGEST_WAIT_S, FIRST_WAIT_S * 2 ** min(attempt - 1, 10))
    return longest * random.uniform(0.5, 1.0)  # noqa: S311  (spreads clients out, guards nothing)


def pushback_s(error: grpc.aio.AioRpcError) -> float:
    """Return the seconds that a refusing server asks to wait, 0 when it does not say.

    It says the same in `google.rpc.RetryInfo`, which would need one more dependency to read.
    """
    for key, value in error.trailing_metadata() or ():
        if key == "grpc-retry-pushback-ms" and isinstance(value, str) and value.isdecimal():
            return min(int(value) / 1e3, LONGEST_WAIT_S)
    return 0.0


def refuse(code: grpc.StatusCode, details: str) -> RewardClientError | None:
    """Return the error a status ends the call with, or None when it is about time and load alone."""
    if code in _RETRIED or code is grpc.StatusCode.DEADLINE_EXCEEDED:
        return None
    if code is grpc.StatusCode.INVALID_ARGUMENT:
        return RewardRequestError(details)
    return RewardClientError(f"the server answered {code.name}: {details}")
