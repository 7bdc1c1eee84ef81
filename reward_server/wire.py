"""Protobuf to plain values and back; pure, and the only place that knows both.

Protobuf objects stop here and in `service`. An enum value that this table does not have
is an error at import, not a silent default.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from reward.v1 import reward_pb2 as pb

from reward_server.api import (
    BooleanReference,
    ChoiceReference,
    CodeReference,
    CostClass,
    Failure,
    FailureKind,
    MathReference,
    Outcome,
    Reference,
    Sample,
    Score,
    TextReference,
    Verdict,
)
from reward_server.registry import Entry

# One or two sentences; a reward may quote more than that of what a model wrote.
MAX_TEXT_CHARS = 2_000

_NO_METADATA: Mapping[str, str] = MappingProxyType({})
# Looked up by name: protobuf's enums are plain integers at run time.
_VERDICTS: Mapping[Verdict, pb.Verdict] = MappingProxyType(
    {each: getattr(pb, each.value) for each in Verdict}
)
_FAILURES: Mapping[FailureKind, pb.FailureKind] = MappingProxyType(
    {each: getattr(pb, each.value) for each in FailureKind}
)
_COSTS: Mapping[CostClass, pb.RewardInfo.CostClass] = MappingProxyType(
    {each: getattr(pb.RewardInfo, each.value) for each in CostClass}
)

# Name of the oneof's field -> the type of its value.
REFERENCES: Mapping[str, type[Reference]] = MappingProxyType(
    {
        "math": MathReference,
        "code": CodeReference,
        "choice": ChoiceReference,
        "boolean": BooleanReference,
        "text": TextReference,
    }
)


def _code(code: pb.CodeReference) -> CodeReference:
    return CodeReference(
        tests=tuple(code.tests),
        setup=code.setup,
        imports=tuple(code.imports),
        entry_point=code.entry_point,
        hidden_tests=tuple(code.hidden_tests),
        reference_cpu_ms=code.reference_cpu_ms,
    )


def _choice(choice: pb.ChoiceReference) -> ChoiceReference:
    return ChoiceReference(
        labels=tuple(choice.labels), texts=tuple(choice.texts), correct_label=choice.correct_label
    )


_REFERENCE_FIELDS = MappingProxyType({kind: name for name, kind in REFERENCES.items()})
_READERS: Mapping[str, Callable[[pb.Sample], Reference]] = MappingProxyType(
    {
        "math": lambda sample: MathReference(answer=sample.math.answer),
        "code": lambda sample: _code(sample.code),
        "choice": lambda sample: _choice(sample.choice),
        "boolean": lambda sample: BooleanReference(value=sample.boolean.value),
        "text": lambda sample: TextReference(reference=sample.text.reference, source=sample.text.source),
    }
)


def read_sample(sample: pb.Sample) -> Sample:
    """Read one sample; the reference is None when the caller sent none."""
    which = sample.WhichOneof("reference")
    return Sample(
        sample_id=sample.sample_id,
        reward=sample.reward,
        prompt=sample.prompt,
        completion=sample.completion,
        reference=None if which is None else _READERS[which](sample),
        group_id=sample.group_id,
        metadata=dict(sample.metadata.items()) if sample.metadata else _NO_METADATA,
    )


def write_outcome(outcome: Outcome, message: pb.Outcome) -> None:
    """Fill in one outcome."""
    message.sample_id = outcome.sample_id
    message.reward_version = outcome.reward_version
    message.cached = outcome.cached
    timing = message.timing
    timing.queue_ms = outcome.queue_ms
    timing.grade_ms = outcome.grade_ms
    result = outcome.result
    if isinstance(result, Score):
        score = message.score
        score.value = result.value
        score.verdict = _VERDICTS[result.verdict]
        score.explanation = _for_people(result.explanation)
        components = score.components
        for name, value in result.components.items():
            components[name] = value
    else:
        message.failure.kind = _FAILURES[result.kind]
        message.failure.message = _for_people(result.message)


def read_outcome(message: pb.Outcome) -> Outcome:
    """Read one outcome back, as recordings keep it."""
    score, failure = message.score, message.failure
    return Outcome(
        sample_id=message.sample_id,
        result=Score(
            value=score.value,
            components=dict(score.components),
            verdict=Verdict(pb.Verdict.Name(score.verdict)),
            explanation=score.explanation,
        )
        if message.HasField("score")
        else Failure(kind=FailureKind(pb.FailureKind.Name(failure.kind)), message=failure.message),
        reward_version=message.reward_version,
        cached=message.cached,
        queue_ms=message.timing.queue_ms,
        grade_ms=message.timing.grade_ms,
    )


def write_reward(entry: Entry, message: pb.RewardInfo) -> None:
    """Fill in one row of ListRewards."""
    message.name = entry.info.name
    message.version = entry.version
    message.minimum = 0.0
    message.maximum = 1.0
    message.reference = _REFERENCE_FIELDS[entry.info.reference]
    message.deterministic = entry.deterministic
    message.cost_class = _COSTS[entry.info.cost_class]


def _for_people(text: str) -> str:
    """Cut a sentence to size; replace lone surrogates, which may be quoted and protobuf refuses."""
    text = text[:MAX_TEXT_CHARS]
    return text if text.isascii() else text.encode("utf-8", "replace").decode()
