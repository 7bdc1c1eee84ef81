"""Splits samples into calls by count and bytes, and joins the answers one to one. Pure."""

from collections.abc import Iterable, Iterator, Sequence

from reward.v1 import reward_pb2 as pb

from reward_client.api import Outcome, RewardClientError, RewardRequestError, Sample
from reward_client.wire import read_outcome, write_sample

# Small enough to spread over several servers, large enough that a call costs nothing.
MAX_CALL_SAMPLES = 256
MAX_CALL_BYTES = 4 * 1024 * 1024
# The server's limit for one message; a sample close to it cannot be sent at all.
MAX_MESSAGE_BYTES = 64 * 1024 * 1024


def split(samples: Sequence[Sample]) -> list[pb.ScoreRequest]:
    """Write samples into few calls within the limits, in order; a group stays in one call if it fits.

    Rewards that compare siblings see those of one call.

    Raises:
        RewardRequestError: an id is empty or repeated, or one sample is larger than a message may be.
    """
    requests: list[pb.ScoreRequest] = []
    room, room_bytes = 0, 0
    for unit in _units(_messages(samples)):
        size = sum(message.ByteSize() for message in unit)
        if not _fits(len(unit), size, room, room_bytes) and _fits(
            len(unit), size, MAX_CALL_SAMPLES, MAX_CALL_BYTES
        ):
            room = 0
        for message in unit:
            message_size = message.ByteSize()
            if not _fits(1, message_size, room, room_bytes):
                requests.append(pb.ScoreRequest())
                room, room_bytes = MAX_CALL_SAMPLES, MAX_CALL_BYTES
            requests[-1].samples.append(message)
            room -= 1
            room_bytes -= message_size
    return requests


def _fits(count: int, size: int, room: int, room_bytes: int) -> bool:
    return count <= room and size <= room_bytes


def _messages(samples: Sequence[Sample]) -> Iterator[pb.Sample]:
    """Write samples, each of which could be sent."""
    seen: set[str] = set()
    for index, sample in enumerate(samples):
        if not sample.sample_id or sample.sample_id in seen:
            fault = "is repeated" if sample.sample_id else "is empty"
            raise RewardRequestError(f"samples[{index}].sample_id={sample.sample_id!r} {fault}")
        seen.add(sample.sample_id)
        message = write_sample(sample)
        if message.ByteSize() > MAX_MESSAGE_BYTES:
            raise RewardRequestError(
                f"samples[{index}] ({sample.sample_id!r}) has {message.ByteSize()} bytes, "
                f"one message holds at most {MAX_MESSAGE_BYTES} (64 MiB)"
            )
        yield message


def _units(messages: Iterable[pb.Sample]) -> Iterable[list[pb.Sample]]:
    """Put groups together, by their first sample's place; a sample without a group is alone."""
    units: dict[str | int, list[pb.Sample]] = {}
    for index, message in enumerate(messages):
        units.setdefault(message.group_id or index, []).append(message)
    return units.values()


def join(request: pb.ScoreRequest, response: pb.ScoreResponse) -> list[Outcome]:
    """Read the outcomes of one call, in the order of its samples.

    Raises:
        RewardClientError: outcomes and samples do not match one to one, in order.
    """
    sent = [sample.sample_id for sample in request.samples]
    got = [outcome.sample_id for outcome in response.outcomes]
    if sent != got:
        raise RewardClientError(f"the server broke the contract: {_difference(sent, got)}")
    return [read_outcome(outcome) for outcome in response.outcomes]


def _difference(sent: Sequence[str], got: Sequence[str]) -> str:
    if len(sent) != len(got):
        return f"{len(sent)} samples were sent, {len(got)} outcomes came back"
    index = next(index for index, pair in enumerate(zip(sent, got, strict=True)) if pair[0] != pair[1])
    return f"outcomes[{index}] is for {got[index]!r}, samples[{index}] was {sent[index]!r}"


def in_order(samples: Sequence[Sample], parts: Iterable[Sequence[Outcome]]) -> list[Outcome]:
    """Put the outcomes of several calls in the order of the samples."""
    by_id = {outcome.sample_id: outcome for part in parts for outcome in part}
    return [by_id[sample.sample_id] for sample in samples]
