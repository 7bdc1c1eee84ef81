"""Server addresses to one gRPC target. Names are resolved by gRPC, or here when there are several."""

import ipaddress
import socket
from collections.abc import Sequence

from reward_client.api import RewardRequestError


def target_of(addresses: str | Sequence[str]) -> str:
    """Return the target that covers all of `addresses`: HOST:PORT, several by comma or as a sequence.

    Raises:
        RewardRequestError: an address is not HOST:PORT, or one of several names does not resolve.
    """
    listed = addresses.split(",") if isinstance(addresses, str) else addresses
    pairs = [_pair(address.strip()) for address in listed]
    if not pairs:
        raise RewardRequestError("there is no address, give at least one HOST:PORT")
    if len(pairs) == 1 and not _is_literal(pairs[0][0]):
        return f"dns:///{pairs[0][0]}:{pairs[0][1]}"
    literals = [_resolved(host, port) for host, port in pairs]
    scheme = "ipv6" if literals[0].startswith("[") else "ipv4"
    if any(literal.startswith("[") != (scheme == "ipv6") for literal in literals):
        raise RewardRequestError(f"addresses={addresses!r} mix IPv4 and IPv6, give one kind")
    return f"{scheme}:{','.join(literals)}"


def _pair(address: str) -> tuple[str, int]:
    host, _, port = address.rpartition(":")
    if not host or not (port.isascii() and port.isdecimal()) or not 0 < int(port) < 65_536:
        raise RewardRequestError(f"address {address!r} is not HOST:PORT, e.g. '127.0.0.1:50051'")
    return host.strip("[]"), int(port)


def _is_literal(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _resolved(host: str, port: int) -> str:
    if _is_literal(host):
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    try:
        found = socket.getaddrinfo(host, port, family=socket.AF_INET, type=socket.SOCK_STREAM)
    except socket.gaierror as error:
        raise RewardRequestError(f"address '{host}:{port}' does not resolve: {error.strerror}") from error
    return f"{found[0][4][0]}:{port}"
