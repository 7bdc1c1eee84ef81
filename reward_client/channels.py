"""What every call goes over: the names of the RPCs, the options of a channel, the metadata of a call."""

import grpc
from reward.v1 import reward_pb2 as pb

from reward_client.api import Priority
from reward_client.batches import MAX_MESSAGE_BYTES
from reward_client.retries import service_config
from reward_client.security import Security

SERVICE: str = pb.DESCRIPTOR.services_by_name["RewardService"].full_name
SCORE = f"/{SERVICE}/Score"
LIST_REWARDS = f"/{SERVICE}/ListRewards"
# The metadata key that a server reads a call's priority from; without it a call is for training.
PRIORITY_KEY = "assay-priority"

Metadata = tuple[tuple[str, str], ...]

_OPTIONS: tuple[tuple[str, int | str], ...] = (
    ("grpc.service_config", service_config(SERVICE)),
    ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
    # gRPC gives up retrying a request that does not fit; the default is 256 KiB.
    ("grpc.per_rpc_retry_buffer_size", MAX_MESSAGE_BYTES),
    # A restarted server is found within seconds, not within gRPC's default of two minutes.
    ("grpc.initial_reconnect_backoff_ms", 200),
    ("grpc.min_reconnect_backoff_ms", 200),
    ("grpc.max_reconnect_backoff_ms", 2_000),
    # A dead connection is noticed while a call is in flight.
    ("grpc.keepalive_time_ms", 20_000),
    ("grpc.keepalive_timeout_ms", 10_000),
)


def open_channel(target: str, credentials: grpc.ChannelCredentials | None) -> grpc.aio.Channel:
    """Return a channel for an event loop."""
    if credentials is None:
        return grpc.aio.insecure_channel(target, options=_OPTIONS)
    return grpc.aio.secure_channel(target, credentials, options=_OPTIONS)


def open_blocking_channel(target: str, credentials: grpc.ChannelCredentials | None) -> grpc.Channel:
    """Return a channel for threads, which sends each call once."""
    options = (*_OPTIONS, ("grpc.enable_retries", 0))
    if credentials is None:
        return grpc.insecure_channel(target, options=options)
    return grpc.secure_channel(target, credentials, options=options)


def metadata_of(security: Security, priority: Priority) -> Metadata:
    """Return what every call of a client carries."""
    return (*security.metadata(), (PRIORITY_KEY, priority.value))


def traced(metadata: Metadata, traceparent: str | None) -> Metadata:
    """Add a W3C trace context, if there is one."""
    return metadata if traceparent is None else (*metadata, ("traceparent", traceparent))
