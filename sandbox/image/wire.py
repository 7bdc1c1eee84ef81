"""The frames between the trusted side and the supervisor: fixed headers, opaque bodies.

    request   header + body; the body is the program, which only the child unpacks
    reply     header + payload; the header is the supervisor's word, the payload the
              program's, and only `sandbox.codec` may decode it

A RUN has exactly one reply with the same sequence number. A CANCEL kills the running
program and has no reply of its own; between programs it does nothing. The end of
stdin kills the program and the supervisor.

Both sides import this file: the standard library alone.
"""

import struct
from collections.abc import Sequence
from enum import IntEnum
from typing import NamedTuple

_REQUEST = struct.Struct(">BIIIQII")
_REPLY = struct.Struct(">BIiQQI")

REQUEST_BYTES = _REQUEST.size
REPLY_BYTES = _REPLY.size

MAX_BODY_BYTES = 8 * 1024 * 1024


class Kind(IntEnum):
    """What a request asks for."""

    RUN = 1
    CANCEL = 2


class Ending(IntEnum):
    """What the supervisor saw of a program's end."""

    HELLO = 0  # no program: the supervisor is ready
    EXITED = 1  # by itself, with or without a payload
    CPU_LIMIT = 2
    WALL_LIMIT = 3
    OUTPUT_LIMIT = 4
    CANCELLED = 5
    NOT_STARTED = 6  # no byte of the program was run: the container is at fault; the payload says why


class Request(NamedTuple):
    """Header of a request. Times in milliseconds, sizes in bytes."""

    kind: Kind
    sequence: int
    cpu_ms: int = 0
    wall_ms: int = 0
    memory_bytes: int = 0
    result_bytes: int = 0
    body_bytes: int = 0

    def pack(self) -> bytes:
        return _REQUEST.pack(*self)

    @staticmethod
    def unpack(header: bytes) -> "Request":
        """Read a header of REQUEST_BYTES; ValueError for an unknown kind."""
        kind, *rest = _REQUEST.unpack(header)
        return Request(Kind(kind), *rest)


class Reply(NamedTuple):
    """Header of a reply. `exit_code` is negative for a signal; times in microseconds."""

    ending: Ending
    sequence: int
    exit_code: int = 0
    cpu_us: int = 0
    wall_us: int = 0
    payload_bytes: int = 0

    def pack(self) -> bytes:
        return _REPLY.pack(*self)

    @staticmethod
    def unpack(header: bytes) -> "Reply":
        """Read a header of REPLY_BYTES; ValueError for an unknown ending."""
        ending, *rest = _REPLY.unpack(header)
        return Reply(Ending(ending), *rest)


class Parts(NamedTuple):
    """The Python sources of a program: loaded in this order, then the calls evaluated."""

    source: str
    imports: Sequence[str]
    setup: str
    calls: Sequence[str]

    def pack(self) -> bytes:
        """Write a body: the number of imports, and all sources, with null characters in between.

        Lone surrogates are passed on: it is for the compiler to refuse them.

        Raises:
            ValueError: a source holds a null character, which no Python may.
        """
        texts = (str(len(self.imports)), self.source, self.setup, *self.imports, *self.calls)
        body = "\0".join(texts)
        if body.count("\0") != len(texts) - 1:
            raise ValueError("a null character in a source")
        return body.encode("utf-8", "surrogatepass")

    @staticmethod
    def unpack(body: bytes) -> "Parts":
        """Read a body."""
        count, source, setup, *others = body.decode("utf-8", "surrogatepass").split("\0")
        return Parts(source, others[: int(count)], setup, others[int(count) :])
