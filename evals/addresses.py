"""HOST:PORT of the pages and endpoints that evaluations serve."""

import socket

from evals.errors import EvaluationError


def listen(address: str) -> socket.socket:
    """Listen on HOST:PORT; port 0 takes a free one.

    Raises:
        EvaluationError: it is no address, or it cannot be listened on.
    """
    host, _, port = address.rpartition(":")
    if not host or not (port.isascii() and port.isdecimal()):
        raise EvaluationError(f"listen: {address!r} is not HOST:PORT, e.g. 127.0.0.1:8001")
    try:
        return socket.create_server((host.strip("[]"), int(port)))
    except (OSError, OverflowError) as error:
        raise EvaluationError(f"listen: {address!r} cannot be listened on: {error}") from error
