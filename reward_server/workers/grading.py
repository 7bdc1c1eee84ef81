"""Grading in a worker what a reward would grade on the spot: samples to JSON, and grades back.

Of a sample only the prompt, the reference and the answer travel, so a reward that names a
`worker_task` uses nothing else. What a reward raises there is not sent back: the sample is
graded once more on the spot, where its error is told as always.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, cast

from reward_server.api import (
    BooleanReference,
    ChoiceReference,
    CodeReference,
    Grade,
    MathReference,
    Reference,
    Reward,
    Sample,
    TextReference,
    Verdict,
)

_REFERENCES: Mapping[str, type[Reference]] = {
    kind.__name__: kind
    for kind in (BooleanReference, ChoiceReference, CodeReference, MathReference, TextReference)
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Packed:
    """What travels of a sample, as JSON; `chars` are those of its texts."""

    content: list[object]
    chars: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Graded:
    """What came back for one sample, and the seconds that it took there."""

    grade: Grade
    seconds: float


def pack(sample: Sample, answer: str) -> Packed:
    """Return what travels of a sample. It has a reference: the scorer has seen to that."""
    reference = sample.reference
    assert reference is not None
    given = {each.name: getattr(reference, each.name) for each in fields(reference)}
    return Packed(
        content=[sample.reward, sample.prompt, answer, type(reference).__name__, given],
        chars=len(sample.prompt) + len(answer) + sum(map(_chars, given.values())),
    )


def unpack(found: Sequence[Any] | None) -> Graded | None:
    """Return what `grading` said of one sample; None where its reward raised."""
    if found is None:
        return None
    value, verdict, explanation, components, seconds = found
    grade = Grade(value=value, verdict=Verdict(verdict), explanation=explanation, components=components)
    return Graded(grade=grade, seconds=seconds)


def grading(rewards: Mapping[str, Reward]) -> Callable[[Any], Any]:
    """Return the worker task that grades as these rewards, by name, would on the spot."""

    def grade(payload: Sequence[Sequence[Any]]) -> list[object]:
        return [_grade(rewards[piece[0]], piece) for piece in payload]

    return grade


def _grade(reward: Reward, piece: Sequence[Any]) -> list[object] | None:
    name, prompt, answer, kind, given = piece
    started = time.perf_counter()
    reference = _REFERENCES[kind](**{key: _frozen(value) for key, value in given.items()})
    sample = Sample(sample_id="", reward=name, prompt=prompt, completion="", reference=reference)
    try:
        grade = reward.grade(sample, answer)
    except MemoryError:
        raise  # ends the worker, and not the server
    # Told by the one who grades it again.
    except Exception:  # noqa: BLE001
        return None
    assert isinstance(grade, Grade)
    seconds = time.perf_counter() - started
    return [grade.value, grade.verdict, grade.explanation, dict(grade.components), seconds]


def _chars(value: object) -> int:
    if isinstance(value, str):
        return len(value)
    return sum(map(_chars, cast("tuple[object, ...]", value))) if isinstance(value, tuple) else 0


def _frozen(value: object) -> Any:
    return tuple(cast("list[object]", value)) if isinstance(value, list) else value
