"""Examples and outcomes to grade with, without a server."""

from collections.abc import Sequence

from evals.grade import Graded
from reward_client.api import Failure, MathReference, Outcome, Sample, Score
from tasks.api import Demonstration, Domain, Example, Split

VERSION = "1.0.0+3f2a9c1b"


def example(
    name: str, *, domain: Domain = Domain.MATH, dataset: str = "gsm8k", reward: str = "math"
) -> Example:
    return Example(
        example_id=f"{dataset}/test/{name}",
        dataset=dataset,
        domain=domain,
        split=Split.TEST,
        prompt=f"question {name}",
        reward=reward,
        reference=MathReference(answer="4"),
        demonstration=Demonstration(reasoning="two and two", answer="4"),
    )


def score(correctness: float, *, form: float = 1.0, measure: str = "correctness") -> Score:
    return Score(
        value=form * (0.2 + 0.8 * correctness),
        components={"format": form, measure: correctness},
        verdict="CORRECT" if correctness == 1 else "INCORRECT",
        explanation="",
    )


def outcome(result: Score | Failure, *, sample_id: str = "s", version: str = VERSION) -> Outcome:
    return Outcome(
        sample_id=sample_id, result=result, reward_version=version, cached=False, queue_ms=0.1, grade_ms=0.2
    )


def graded(
    name: str,
    result: Score | Failure,
    *,
    domain: Domain = Domain.MATH,
    index: int = 0,
    completion: str = "<answer>4</answer>",
    version: str = VERSION,
) -> Graded:
    return Graded(
        example_id=f"gsm8k/test/{name}",
        dataset="gsm8k",
        domain=domain,
        reward="math",
        sample_index=index,
        prompt=f"question {name}",
        completion=completion,
        outcome=outcome(result, sample_id=f"{name}#{index}", version=version),
    )


class Server:
    """Grades "4" right and anything else wrong, cannot grade "broken", and remembers what it was sent."""

    def __init__(self) -> None:
        self.samples: list[Sample] = []

    def score(self, samples: Sequence[Sample], *, timeout_s: float) -> list[Outcome]:
        assert timeout_s > 0
        self.samples.extend(samples)
        return [outcome(_judge(sample.completion), sample_id=sample.sample_id) for sample in samples]


def _judge(completion: str) -> Score | Failure:
    if completion == "broken":
        return Failure(kind="SANDBOX", message="no engine")
    return score(1.0 if completion == "4" else 0.0)
