"""Server addresses to one gRPC target.

One name is left to gRPC, which resolves it again whenever a connection is lost: the way to
name replicas that come and go, e.g. a headless service. Several names are resolved here,
once, to all of their addresses, as a gRPC target holds one name.
"""

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
    literals = list(dict.fromkeys(each for host, port in pairs for each in _resolved(host, port)))
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


def _resolved(host: str, port: int) -> list[str]:
    """Return every address of a host, IPv4 where it has any."""
    if _is_literal(host):
        return [_literal(host, port)]
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except socket.gaierror as error:
        raise RewardRequestError(f"address '{host}:{port}' does not resolve: {error.strerror}") from error
    by_family = {
        family: [str(entry[4][0]) for entry in found if entry[0] is family]
        for family in (socket.AF_INET, socket.AF_INET6)
    }
    return [_literal(each, port) for each in by_family[socket.AF_INET] or by_family[socket.AF_INET6]]


def _literal(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
