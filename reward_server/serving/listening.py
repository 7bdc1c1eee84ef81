"""Where the server listens, and what protects the channel.

Off loopback without TLS the server does not start, unless told that it may.
"""

import os
from pathlib import Path

import grpc

from reward_server.config import ServerConfig, is_loopback, split_address
from reward_server.errors import ConfigurationError
from reward_server.serving.certificates import server_credentials
from reward_server.serving.guard import MAX_CALLS
from reward_server.serving.service import MAX_MESSAGE_BYTES
from reward_server.telemetry import logger

# Up to here an oversized message is read, to be answered with INVALID_ARGUMENT; gRPC itself
# refuses larger ones with RESOURCE_EXHAUSTED.
RECEIVE_BYTES = 4 * MAX_MESSAGE_BYTES
# gRPC refuses more before it reads their message, and cannot say when to come back: `guard` does, earlier.
MOST_CALLS = 2 * MAX_CALLS
# Clients may ping this often to notice a dead connection; gRPC's default cuts them off.
MIN_PING_INTERVAL_MS = 10_000
# A connection that has not begun to speak by then is closed; it holds a file descriptor.
HANDSHAKE_MS = 10_000

_OPTIONS = (
    # Two servers on one port would share its connections without anyone noticing.
    ("grpc.so_reuseport", 0),
    ("grpc.max_receive_message_length", RECEIVE_BYTES),
    ("grpc.server_handshake_timeout_ms", HANDSHAKE_MS),
    ("grpc.http2.min_recv_ping_interval_without_data_ms", MIN_PING_INTERVAL_MS),
)


def listen(config: ServerConfig) -> tuple[grpc.aio.Server, str]:
    """Take the port; returns a server that is not started, and HOST:PORT with the real port.

    Raises:
        ConfigurationError: the address is taken, is not here, or is not safe to listen on.
    """
    host, _ = split_address(config.listen)
    credentials = server_credentials(config.tls, warn_of_security)
    if credentials is None and not is_loopback(host) and not config.insecure:
        raise ConfigurationError(
            f"listen={config.listen!r} can be reached from other machines without TLS: give "
            "--tls.certificate and --tls.key, or listen on 127.0.0.1, or say --insecure if the net is safe"
        )
    server = grpc.aio.server(options=_OPTIONS, maximum_concurrent_rpcs=MOST_CALLS)
    try:
        if credentials is None:
            port = server.add_insecure_port(config.listen)
        else:
            port = server.add_secure_port(config.listen, credentials)
    except RuntimeError as error:
        raise ConfigurationError(
            f"cannot listen on {config.listen!r}: the port is in use or the address is not on this machine; "
            "stop the other server or choose another port (0 takes a free one)"
        ) from error
    return server, f"{host}:{port}"


def protection(config: ServerConfig) -> dict[str, object]:
    """Return what protects the channel and what this process may do, for the log of the start."""
    return {
        "uid": os.geteuid(),
        "tls": config.tls.certificate is not None,
        "client_certificates": config.tls.client_ca is not None,
        "token": config.token_file is not None,
        "records": config.record is not None,
    }


def warn_of_security(reason: str) -> None:
    """Say that someone should look at what protects the channel."""
    logger().warning("security", reason=reason)


def write_address(file: Path, address: str) -> None:
    """Write a file that a reader sees whole or not at all.

    Raises:
        ConfigurationError: it cannot be written.
    """
    part = file.with_name(f"{file.name}.{os.getpid()}.part")
    try:
        part.write_text(address + "\n", encoding="utf-8")
        part.replace(file)
    except OSError as error:
        raise ConfigurationError(f"address_file={str(file)!r} cannot be written: {error.strerror}") from error
