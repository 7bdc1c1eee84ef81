"""Splits samples into calls by count and bytes, and joins the answers one to one. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from reward.v1 import reward_pb2 as pb

from reward_client.api import Outcome, RewardClientError, RewardRequestError, Sample
from reward_client.wire import most_bytes, read_outcome, write_sample

# Small enough to spread over several servers, large enough that a call costs nothing.
MAX_CALL_SAMPLES = 256
MAX_CALL_BYTES = 4 * 1024 * 1024
# The server's limit for one message; a sample close to it cannot be sent at all.
MAX_MESSAGE_BYTES = 64 * 1024 * 1024
_LENGTH_BYTES = 5


@dataclass(frozen=True, kw_only=True, slots=True)
class Batch:
    """The samples of one call."""

    samples: Sequence[Sample]

    @property
    def sample_ids(self) -> list[str]:
        """Their ids, in order."""
        return [sample.sample_id for sample in self.samples]

    def encode(self) -> bytes:
        """Write the call's `reward.v1.ScoreRequest`; what `split` let through can be written."""
        request = pb.ScoreRequest()
        for sample in self.samples:
            write_sample(sample, request.samples.add())
        return request.SerializeToString()


class _Piece(NamedTuple):
    """One sample, and how many bytes of a call it takes at most."""

    sample: Sample
    size: int


def split(samples: Sequence[Sample]) -> list[Batch]:
    """Put samples into few calls within the limits, in order; a group stays in one call if it fits.

    Rewards that compare siblings see those of one call. Every sample is looked at here and
    written when its call is sent, so that a server works on the first while others are written.

    Raises:
        RewardRequestError: an id is empty or repeated, a text cannot be sent, or one sample is
            larger than a message may be.
    """
    calls: list[list[Sample]] = []
    room, room_bytes = 0, 0
    for unit in _units(samples):
        size = sum(piece.size for piece in unit)
        if not _fits(len(unit), size, room, room_bytes) and _fits(
            len(unit), size, MAX_CALL_SAMPLES, MAX_CALL_BYTES
        ):
            room = 0
        for piece in unit:
            if not _fits(1, piece.size, room, room_bytes):
                calls.append([])
                room, room_bytes = MAX_CALL_SAMPLES, MAX_CALL_BYTES
            calls[-1].append(piece.sample)
            room -= 1
            room_bytes -= piece.size
    return [Batch(samples=call) for call in calls]


def _fits(count: int, size: int, room: int, room_bytes: int) -> bool:
    return count <= room and size <= room_bytes


def _units(samples: Sequence[Sample]) -> Iterable[list[_Piece]]:
    """Put groups together, by their first sample's place; a sample without a group is alone."""
    units: dict[str | int, list[_Piece]] = {}
    seen: set[str] = set()
    for index, sample in enumerate(samples):
        sample_id = sample.sample_id
        if not sample_id or sample_id in seen:
            fault = "is repeated" if sample_id else "is empty"
            raise RewardRequestError(f"samples[{index}].sample_id={sample_id!r} {fault}")
        seen.add(sample_id)
        piece = _Piece(sample, _checked_size(index, sample))
        units.setdefault(sample.group_id or index, []).append(piece)
    return units.values()


def _checked_size(index: int, sample: Sample) -> int:
    """Return at most how many bytes a sample takes, if it can be sent."""
    size = most_bytes(sample)
    if size > MAX_MESSAGE_BYTES:
        exact = write_sample(sample).ByteSize()
        # Its place in the call takes a few bytes more.
        if exact + _LENGTH_BYTES > MAX_MESSAGE_BYTES:
            raise RewardRequestError(
                f"samples[{index}] ({sample.sample_id!r}) has {exact} bytes, "
                f"one message holds at most {MAX_MESSAGE_BYTES} (64 MiB)"
            )
    return size


def join(sent: Sequence[str], response: pb.ScoreResponse) -> list[Outcome]:
    """Read the outcomes of the call that carried the samples of these ids, in their order.

    Raises:
        RewardClientError: outcomes and samples do not match one to one, in order.
    """
    outcomes = [read_outcome(outcome) for outcome in response.outcomes]
    got = [outcome.sample_id for outcome in outcomes]
    if sent != got:
        raise RewardClientError(f"the server broke the contract: {_difference(sent, got)}")
    return outcomes


def _difference(sent: Sequence[str], got: Sequence[str]) -> str:
    if len(sent) != len(got):
        return f"{len(sent)} samples were sent, {len(got)} outcomes came back"
    index = next(index for index, pair in enumerate(zip(sent, got, strict=True)) if pair[0] != pair[1])
    return f"outcomes[{index}] is for {got[index]!r}, samples[{index}] was {sent[index]!r}"


def in_order(samples: Sequence[Sample], parts: Iterable[Sequence[Outcome]]) -> list[Outcome]:
    """Put the outcomes of several calls in the order of the samples."""
    by_id = {outcome.sample_id: outcome for part in parts for outcome in part}
    return [by_id[sample.sample_id] for sample in samples]
