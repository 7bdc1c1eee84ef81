"""One graded sample as it is recorded: what was asked, what was answered, and by which server.

Reads the frames of a journal back into plain values, so protobuf stops here as it does in
`wire`.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from reward.v1 import reward_pb2 as pb

from reward_server import wire
from reward_server.api import Outcome, Sample
from reward_server.recording.journal import Frame


@dataclass(frozen=True, kw_only=True, slots=True)
class Recorded:
    """A sample, its outcome, and where they come from. `at` is when the outcome was written."""

    call_id: str
    at: datetime
    server_version: str
    configuration_hash: str
    sample: Sample
    outcome: Outcome


def about(server_version: str, configuration_hash: str) -> dict[str, object]:
    """Return what a segment says of the server that writes it."""
    return {"server_version": server_version, "configuration_hash": configuration_hash}


def as_batch(message: bytes) -> bytes:
    """Wrap the bytes of a Sample as a ScoreRequest, or those of an Outcome as a ScoreResponse.

    Both have one repeated field of number 1: its tag, the length as a varint, the bytes.
    """
    length = len(message)
    head = bytearray(b"\x0a")
    while length > 0x7F:
        head.append(length & 0x7F | 0x80)
        length >>= 7
    head.append(length)
    return bytes(head) + message


def rows(frames: Iterable[Frame]) -> Iterator[list[Recorded]]:
    """Yield what was graded, a list for each call."""
    version = configuration = ""
    for frame in frames:
        if not frame.request:
            version = str(frame.about["server_version"])
            configuration = str(frame.about["configuration_hash"])
            continue
        call_id, at = str(frame.about["call"]), datetime.fromtimestamp(float(str(frame.about["at"])), UTC)
        request = pb.ScoreRequest.FromString(frame.request)
        response = pb.ScoreResponse.FromString(frame.response)
        yield [
            Recorded(
                call_id=call_id,
                at=at,
                server_version=version,
                configuration_hash=configuration,
                sample=wire.read_sample(sample),
                outcome=wire.read_outcome(outcome),
            )
            for sample, outcome in zip(request.samples, response.outcomes, strict=True)
        ]
