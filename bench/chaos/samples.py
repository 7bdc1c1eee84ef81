"""Samples whose right value is known before they are sent; true zeros are among them."""

import math
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from bench.chaos.extras import STALLING, VERSIONED
from bench.texts import text
from reward_client.api import (
    BooleanReference,
    ChoiceReference,
    CodeReference,
    MathReference,
    Reference,
    Sample,
    TextReference,
)
from reward_server import api
from reward_server.api import Reward
from reward_server.rewards.ideation import IdeationReward
from reward_server.rewards.summary import SummaryReward
from reward_server.rewards.writing import WritingReward

FORMAT_ONLY = 0.2  # the gate is open and the answer is wrong
RIGHT = 1.0
ZERO = 0.0  # the gate is shut

COLOURS = ChoiceReference(labels=("A", "B"), texts=("red", "blue"), correct_label="B")
UNION = MathReference(answer=r"[1,2]\cup[2,3]")
DOUBLE = CodeReference(tests=("assert double(2) == 4", "assert double(-3) == -6"), entry_point="double")


@dataclass(frozen=True, kw_only=True, slots=True)
class Kind:
    """A kind of sample: its reward, its answer, and what it must get. `gate` False leaves the tags out."""

    reward: str
    answer: str
    reference: Reference
    value: float
    gate: bool = True

    def sample(self, sample_id: str) -> Sample:
        """Make one that no cache knows: its id is in the completion."""
        text = f"<reasoning>{sample_id}</reasoning><answer>{self.answer}</answer>"
        return Sample(
            sample_id=sample_id,
            reward=self.reward,
            prompt="",
            completion=text if self.gate else f"{sample_id}: {self.answer}",
            reference=self.reference,
        )


def program(expression: str) -> str:
    return f"```python\ndef double(n):\n    return {expression}\n```"


YES, FORTY_TWO = BooleanReference(value=True), MathReference(answer="#### 42")
ON_THE_SPOT = (
    Kind(reward="boolean", answer="yes", reference=YES, value=RIGHT),
    Kind(reward="boolean", answer="no", reference=YES, value=FORMAT_ONLY),
    Kind(reward="boolean", answer="yes", reference=YES, value=ZERO, gate=False),
    Kind(reward="choice", answer="B", reference=COLOURS, value=RIGHT),
    Kind(reward="choice", answer="A", reference=COLOURS, value=FORMAT_ONLY),
    Kind(reward="math", answer="42", reference=FORTY_TWO, value=RIGHT),
    Kind(reward="math", answer="41", reference=FORTY_TWO, value=FORMAT_ONLY),
    Kind(reward=VERSIONED, answer="7", reference=MathReference(answer="7"), value=RIGHT),
)
ALGEBRA = (
    Kind(reward="math", answer="[1,3]", reference=UNION, value=RIGHT),
    Kind(reward="math", answer="[1,4]", reference=UNION, value=FORMAT_ONLY),
)
PROGRAMS = (
    Kind(reward="code", answer=program("n + n"), reference=DOUBLE, value=RIGHT),
    Kind(reward="code", answer=program("n - n"), reference=DOUBLE, value=FORMAT_ONLY),
)


def text_kinds(reward: Reward) -> tuple[Kind, ...]:
    """Two texts, and what this process gives them: enough in a batch for some to go to workers."""
    chance = random.Random(reward.info.name)
    wanted, source = text(40, chance), text(200, chance)
    kinds: list[Kind] = []
    for _ in range(2):
        answer = text(150, chance)
        grade = reward.grade(
            api.Sample(
                sample_id="",
                reward=reward.info.name,
                prompt="",
                completion="",
                reference=api.TextReference(reference=wanted, source=source),
            ),
            answer,
        )
        assert isinstance(grade, api.Grade)
        kinds.append(
            Kind(
                reward=reward.info.name,
                answer=answer,
                reference=TextReference(reference=wanted, source=source),
                value=FORMAT_ONLY + (RIGHT - FORMAT_ONLY) * grade.value,
            )
        )
    return tuple(kinds)


TEXTS = tuple(
    kind for reward in (IdeationReward(), SummaryReward(), WritingReward()) for kind in text_kinds(reward)
)
# These get no score at all: a failure is right, and any score is wrong.
NO_SCORE = math.nan
STALLED = tuple(
    Kind(reward=STALLING, answer=how, reference=MathReference(answer=""), value=NO_SCORE)
    for how in ("spin", "sleep")
)


def mixed(*, code: bool) -> Sequence[Kind]:
    """Return what one batch is made of."""
    return (*ON_THE_SPOT, *ON_THE_SPOT, *TEXTS, *ALGEBRA, *(PROGRAMS if code else ()))


def numbered(kinds: Iterable[Kind], prefix: str) -> dict[str, Kind]:
    """Give each its id."""
    return {f"{prefix}/{number}": kind for number, kind in enumerate(kinds)}
