"""From an example and a completion to the sample that the reward service grades."""

from reward_client.api import Sample
from tasks.api import Example


def to_sample(example: Example, completion: str, *, sample_id: str, group_id: str = "") -> Sample:
    """Pair a completion with the question and the reference it is judged against."""
    return Sample(
        sample_id=sample_id,
        reward=example.reward,
        prompt=example.prompt,
        completion=completion,
        reference=example.reference,
        group_id=group_id,
        metadata={"example_id": example.example_id, "domain": example.domain.value},
    )
