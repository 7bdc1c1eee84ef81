"""What a row of any dataset becomes: a question, a typed reference, and where it came from.

dataset   one source of rows, under its hub column names, e.g. `gsm8k`
domain    what the mix is balanced over, e.g. `math`; several datasets may share one
example   one row, ready to be asked and graded
split     train, validation or test; never mixed
"""

from dataclasses import dataclass
from enum import Enum

from reward_client.api import Reference


class Split(Enum):
    TRAIN = "train"
    VALIDATION = "validation"
    TEST = "test"


class Domain(Enum):
    """What the mix is balanced over. The reward that grades it is in `tasks.datasets.REWARDS`."""

    MATH = "math"
    CODE = "code"
    SCIENCE = "science"
    LOGIC = "logic"
    WRITING = "writing"
    IDEATION = "ideation"
    SUMMARY = "summary"


@dataclass(frozen=True, kw_only=True, slots=True)
class Demonstration:
    """A worked reply made from the row's own reference, for warm starts and checks."""

    reasoning: str
    answer: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Example:
    """One row, ready to be asked and graded.

    `example_id` is `<dataset>/<split>/<row id>` and unique over all datasets.
    `prompt` is the user's own question, without system text and chat template.
    `question` is the row's own text alone, where the prompt adds to it (options, a test);
    None when it adds nothing.
    """

    example_id: str
    dataset: str
    domain: Domain
    split: Split
    prompt: str
    reward: str
    reference: Reference
    demonstration: Demonstration
    question: str | None = None
