"""One look at the reward server before hours of training: can it grade every domain?

Each domain's first demonstration is sent. A sandbox that is not there costs the run the
code domain and a sentence; any other failure is a mistake to mend first.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from reward_client.api import Failure, RewardClientError
from tasks.api import Domain, Example
from tasks.sample import to_sample
from trainer.experience.grading import Scorer
from trainer.preparing.data import demonstrated


@dataclass(frozen=True, kw_only=True, slots=True)
class Probed:
    """`unavailable` maps a domain that this server cannot run to why; versions are by reward."""

    unavailable: Mapping[Domain, str]
    reward_versions: Mapping[str, str]


def probe(examples: Sequence[Example], scorer: Scorer, *, timeout_s: float) -> Probed:
    """Grades one demonstration a domain.

    Raises:
        RewardClientError: a domain fails for another reason than a missing sandbox.
    """
    first: dict[Domain, Example] = {}
    for example in examples:
        first.setdefault(example.domain, example)
    samples = [
        to_sample(example, demonstrated(example), sample_id=domain.value) for domain, example in first.items()
    ]
    outcomes = scorer.score(samples, timeout_s=timeout_s)
    unavailable: dict[Domain, str] = {}
    for (domain, example), outcome in zip(first.items(), outcomes, strict=True):
        match outcome.result:
            case Failure(kind="SANDBOX", message=message):
                unavailable[domain] = message
            case Failure(kind=kind, message=message):
                raise RewardClientError(
                    f"the server cannot grade {example.example_id!r} by {example.reward!r}: {kind}: {message}"
                )
    if len(unavailable) == len(first):
        raise RewardClientError(f"the server can grade no domain of this run: {unavailable}")
    versions = {
        example.reward: outcome.reward_version
        for example, outcome in zip(first.values(), outcomes, strict=True)
    }
    return Probed(unavailable=unavailable, reward_versions=versions)
