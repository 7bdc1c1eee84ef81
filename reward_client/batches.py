"""Splits samples into calls by count and bytes, and joins the answers one to one. Pure."""

from collections.abc import Iterable, Sequence

from reward.v1 import reward_pb2 as pb

from reward_client.api import Outcome, RewardClientError, RewardRequestError, Sample
from reward_client.wire import read_outcome, write_sample

# Small enough to spread over several servers, large enough that a call costs nothing.
MAX_CALL_SAMPLES = 256
MAX_CALL_BYTES = 4 * 1024 * 1024
# The server's limit for one message; a sample close to it cannot be sent at all.
MAX_MESSAGE_BYTES = 64 * 1024 * 1024


def split(samples: Sequence[Sample]) -> list[pb.ScoreRequest]:
    """Write samples into as few calls as the limits allow, in order.

    Raises:
        RewardRequestError: an id is empty or repeated, or one sample is larger than a message may be.
    """
    requests: list[pb.ScoreRequest] = []
    seen: set[str] = set()
    size = 0
    for index, sample in enumerate(samples):
        if not sample.sample_id or sample.sample_id in seen:
            fault = "is repeated" if sample.sample_id else "is empty"
            raise RewardRequestError(f"samples[{index}].sample_id={sample.sample_id!r} {fault}")
        seen.add(sample.sample_id)
        message = write_sample(sample)
        message_size = message.ByteSize()
        if message_size > MAX_MESSAGE_BYTES:
            raise RewardRequestError(
                f"samples[{index}] ({sample.sample_id!r}) has {message_size} bytes, "
                f"one message holds at most {MAX_MESSAGE_BYTES} (64 MiB)"
            )
        full = not requests or len(requests[-1].samples) >= MAX_CALL_SAMPLES
        if full or size + message_size > MAX_CALL_BYTES:
            requests.append(pb.ScoreRequest())
            size = 0
        requests[-1].samples.append(message)
        size += message_size
    return requests


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


def flatten(parts: Iterable[Sequence[Outcome]]) -> list[Outcome]:
    """Put the outcomes of several calls in one list."""
    return [outcome for part in parts for outcome in part]
