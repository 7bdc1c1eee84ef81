"""The protocol of pool and worker: four bytes of length, then that much JSON.

Lengths are big-endian and bounded on both sides, so that neither can make the other
allocate without limit. Nothing is pickled: a child that was taken over can send data,
never code.

    parent -> child    {"task": name, "payload": JSON}
    child  -> parent   {"result": JSON} | {"memory": true} | {"raised": type, "message": text}
                       each with {"retire": bool}: whether the child wants to be replaced
"""

import json
import struct
from collections.abc import Mapping
from typing import Any, cast

# 1 MiB: a tree of 400 nodes is about 20 KiB of JSON.
MAX_FRAME_BYTES = 1 << 20
HEADER = struct.Struct(">I")


class FrameError(ValueError):
    """A frame is too long or is not a JSON object."""


def encode(message: Mapping[str, object]) -> bytes:
    """Return the frame of a message.

    Raises:
        FrameError: longer than `MAX_FRAME_BYTES`.
    """
    body = json.dumps(message, separators=(",", ":")).encode()
    if len(body) > MAX_FRAME_BYTES:
        raise FrameError(f"frame of {len(body)} bytes is over the limit of {MAX_FRAME_BYTES}")
    return HEADER.pack(len(body)) + body


def body_length(header: bytes) -> int:
    """Return how many bytes follow the header.

    Raises:
        FrameError: more than `MAX_FRAME_BYTES`.
    """
    (length,) = HEADER.unpack(header)
    if length > MAX_FRAME_BYTES:
        raise FrameError(f"frame of {length} bytes is over the limit of {MAX_FRAME_BYTES}")
    return length


def decode(body: bytes) -> dict[str, Any]:
    """Return the message of a frame's body.

    Raises:
        FrameError: not a JSON object.
    """
    try:
        message: object = json.loads(body)
    except ValueError as error:
        raise FrameError(f"frame is not JSON: {body[:40]!r}") from error
    if not isinstance(message, dict):
        raise FrameError(f"frame is not an object: {body[:40]!r}")
    return cast("dict[str, Any]", message)  # keys of a JSON object are strings
