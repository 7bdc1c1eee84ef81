"""What a reward author sees: samples in, grades out.

Plain values only: no protobuf, no asyncio machinery, no configuration. The words
are those of the wire contract (`proto/reward/v1/reward.proto`), one per idea:

    sample    prompt, completion, reference
    grade     what a reward says of one answer: a raw number, a verdict, a sentence
    score     a grade put together with the format gate into one value in [0, 1]
    failure   no score, with its kind; never a zero
    outcome   score or failure
"""

from collections.abc import Awaitable, Mapping
from dataclasses import field
from enum import StrEnum
from typing import Protocol

from reward_server.values import value


class Verdict(StrEnum):
    """What the candidate did. Every verdict carries a score."""

    CORRECT = "CORRECT"
    INCORRECT = "INCORRECT"
    PARTIAL = "PARTIAL"
    QUALITY = "QUALITY"
    FORMAT_INVALID = "FORMAT_INVALID"
    NO_ANSWER = "NO_ANSWER"
    TOO_LONG = "TOO_LONG"
    TIME_LIMIT = "TIME_LIMIT"
    MEMORY_LIMIT = "MEMORY_LIMIT"
    OUTPUT_LIMIT = "OUTPUT_LIMIT"
    RUNTIME_ERROR = "RUNTIME_ERROR"
    REJECTED = "REJECTED"


class FailureKind(StrEnum):
    """Why there is no score. All of these are ours, none is the candidate's."""

    BAD_REFERENCE = "BAD_REFERENCE"
    UNKNOWN_REWARD = "UNKNOWN_REWARD"
    GRADER = "GRADER"
    GRADER_TIMEOUT = "GRADER_TIMEOUT"
    SANDBOX = "SANDBOX"
    DEADLINE = "DEADLINE"
    CANCELLED = "CANCELLED"
    OVERLOADED = "OVERLOADED"


class CostClass(StrEnum):
    """Where the work of a reward is done, and so which queue it waits in."""

    INLINE = "INLINE"
    WORKER = "WORKER"
    SANDBOX = "SANDBOX"


class Measure(StrEnum):
    """The name of a reward's main component."""

    CORRECTNESS = "correctness"
    QUALITY = "quality"


@value
class MathReference:
    answer: str


@value
class CodeReference:
    tests: tuple[str, ...]
    setup: str = ""
    imports: tuple[str, ...] = ()
    entry_point: str = ""
    hidden_tests: tuple[str, ...] = ()
    reference_cpu_ms: float = 0.0


@value
class ChoiceReference:
    labels: tuple[str, ...]
    texts: tuple[str, ...]
    correct_label: str


@value
class BooleanReference:
    value: bool


@value
class TextReference:
    reference: str = ""
    source: str = ""


Reference = MathReference | CodeReference | ChoiceReference | BooleanReference | TextReference


@value
class Sample:
    """One completion to grade. `reference` is None when the caller sent none."""

    sample_id: str
    reward: str
    prompt: str
    completion: str
    reference: Reference | None
    group_id: str = ""
    metadata: Mapping[str, str] = field(default_factory=dict[str, str])


@value
class Grade:
    """What a reward says of one answer.

    `value` is the raw correctness or quality in [0, 1], before the format weight.
    `components` are the reward's own parts, each in [0, 1]; "format" and the main
    component are added by the scorer.
    """

    value: float
    verdict: Verdict
    explanation: str
    components: Mapping[str, float] = field(default_factory=dict[str, float])


@value
class Score:
    """A number in [0, 1] with its parts; see `scorer` for how it is put together."""

    value: float
    components: Mapping[str, float]
    verdict: Verdict
    explanation: str


@value
class Failure:
    """No score, and why."""

    kind: FailureKind
    message: str


@value
class Outcome:
    """What a caller gets for one sample. Times are in milliseconds."""

    sample_id: str
    result: Score | Failure
    reward_version: str
    cached: bool = False
    queue_ms: float = 0.0
    grade_ms: float = 0.0


@value
class RewardInfo:
    """What a reward promises.

    `version` is the semantic version alone; the registry adds the hash of code and
    configuration. `reference` is the type of reference it takes. `compares_siblings` asks for
    the component "diversity" among the samples of a group (see `siblings`). `worker_task` is for a
    reward that decides INLINE, and takes about a millisecond: what grades its samples in a worker
    when the event loop has more to do (see `workers.grading`).
    """

    name: str
    version: str
    reference: type[Reference]
    measure: Measure
    cost_class: CostClass
    deterministic: bool = True
    compares_siblings: bool = False
    worker_task: str = ""


class Reward(Protocol):
    """A grader. One instance serves all calls; it keeps no state between them."""

    @property
    def info(self) -> RewardInfo: ...

    def grade(self, sample: Sample, answer: str) -> Grade | Awaitable[Grade]:
        """Judge the text inside the answer tags of `sample.completion`.

        Returns a `Grade` when it can be decided within about a millisecond on the
        event loop; otherwise an awaitable, which the scorer runs in the queue of
        `info.cost_class`. `sample.reference` has the type `info.reference`.

        Raises (also from the awaitable):
            BadReferenceError: the reference cannot be used.
            GraderTimeoutError: the grader, not the candidate, ran out of its budget.
            SandboxUnavailableError: no program could be run.
        """
        ...
