"""What a caller of the reward service sees: samples to send, outcomes to get back.

The mirror of the wire contract in plain values, so that protobuf objects stop in
`client`. It deliberately shares no code with the server: the `.proto` is the only
thing both sides know.
"""

from collections.abc import Mapping
from dataclasses import field
from enum import Enum

from reward_client.values import value


class Priority(Enum):
    """What calls are for: while both wait on a busy server, training is served first, most of the time."""

    TRAINING = "training"
    EVALUATION = "evaluation"


@value
class MathReference:
    """A number, LaTeX, or GSM8K's "... #### 42"."""

    answer: str


@value
class CodeReference:
    """Assertions in MBPP's form, e.g. `assert f(1) == 2`; the hidden ones are in no prompt.

    `reference_cpu_ms` is what the reference solution needs for all tests; 0 is unknown.
    """

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
    """Summary: the reference summary and its document. Writing, ideation: may be empty."""

    reference: str = ""
    source: str = ""


Reference = MathReference | CodeReference | ChoiceReference | BooleanReference | TextReference


@value
class Sample:
    """One completion to grade. `sample_id` is unique in the call."""

    sample_id: str
    reward: str
    prompt: str
    completion: str
    reference: Reference
    group_id: str = ""
    metadata: Mapping[str, str] = field(default_factory=dict[str, str])


@value
class Score:
    """`value` in [0, 1]; `components` always hold "format" and "correctness" or "quality".

    `verdict` is the contract's name, e.g. "CORRECT".
    """

    value: float
    components: Mapping[str, float]
    verdict: str
    explanation: str


@value
class Failure:
    """No score exists. `kind` is the contract's name, e.g. "SANDBOX"."""

    kind: str
    message: str


@value
class Outcome:
    """Score or failure of one sample. Times are in milliseconds."""

    sample_id: str
    result: Score | Failure
    reward_version: str
    cached: bool
    queue_ms: float
    grade_ms: float


@value
class RewardInfo:
    """One row of `ListRewards`. `cost_class` is the contract's name, e.g. "INLINE"."""

    name: str
    version: str
    minimum: float
    maximum: float
    reference: str
    deterministic: bool
    cost_class: str


class RewardClientError(Exception):
    """A whole call could not be completed, after retries. No outcome was invented."""


class RewardRequestError(RewardClientError):
    """The server refused the call as malformed (INVALID_ARGUMENT): a bug on this side."""


class RewardUnavailableError(RewardClientError):
    """No server could be reached before the deadline."""
