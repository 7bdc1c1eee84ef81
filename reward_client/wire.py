"""Plain values to protobuf and back; pure. Protobuf objects stop here and in `client`."""

from collections.abc import Mapping
from types import MappingProxyType

from google.protobuf.internal.enum_type_wrapper import EnumTypeWrapper
from reward.v1 import reward_pb2 as pb

from reward_client.api import (
    BooleanReference,
    ChoiceReference,
    CodeReference,
    Failure,
    MathReference,
    Outcome,
    Reference,
    RewardClientError,
    RewardInfo,
    RewardRequestError,
    Sample,
    Score,
    TextReference,
)


def _words(enum: EnumTypeWrapper) -> Mapping[int, str]:
    return MappingProxyType({number: name for name, number in enum.items() if number})


# Asking an enum itself costs more than the rest of an outcome.
_VERDICTS, _FAILURES = _words(pb.Verdict), _words(pb.FailureKind)
_COSTS = _words(pb.RewardInfo.CostClass)


# Of a field beside its text: its number and its length.
_FIELD_BYTES = 7
# The fields that every sample has, with the flags and numbers of a reference.
_FIELDS = 10


def most_bytes(sample: Sample) -> int:
    """Return at most how many bytes a sample has in a call, and at least how many its texts have.

    Raises:
        RewardRequestError: a text of the sample other than its completion holds a lone surrogate.
    """
    texts = [sample.sample_id, sample.reward, sample.prompt, sample.group_id, *_texts(sample.reference)]
    if sample.metadata:
        texts += (text for pair in sample.metadata.items() for text in pair)
    try:
        size = _bytes("".join(texts), "strict")
    except UnicodeEncodeError as error:
        raise _unsendable(sample, error) from error
    # A lone surrogate of the completion is replaced by a character of as many bytes.
    return size + _bytes(sample.completion, "surrogatepass") + _FIELD_BYTES * (_FIELDS + len(texts))


def _texts(reference: Reference | None) -> tuple[str, ...]:
    match reference:
        case MathReference(answer=answer):
            return (answer,)
        case CodeReference():
            texts = (reference.setup, reference.entry_point)
            return (*reference.tests, *reference.imports, *reference.hidden_tests, *texts)
        case ChoiceReference():
            return (*reference.labels, *reference.texts, reference.correct_label)
        case TextReference():
            return (reference.reference, reference.source)
        case BooleanReference() | None:  # a sample without one is a failure for the server to tell
            return ()


def _bytes(text: str, errors: str) -> int:
    return len(text) if text.isascii() else len(text.encode("utf-8", errors))


def _unsendable(sample: Sample, error: UnicodeEncodeError) -> RewardRequestError:
    return RewardRequestError(f"sample {sample.sample_id!r} is no UTF-8: {error}")


def write_sample(sample: Sample, message: pb.Sample | None = None) -> pb.Sample:
    """Write one sample, into `message` where one is given.

    What is no UTF-8 in its completion is sent as U+FFFD: it is a model's raw text, and one bad
    token must not cost a batch its rewards.

    Raises:
        RewardRequestError: another text of the sample holds a lone surrogate: a defect of the data.
    """
    message = pb.Sample() if message is None else message
    try:
        _fill(message, sample)
    except UnicodeEncodeError as error:
        raise _unsendable(sample, error) from error
    return message


def _fill(message: pb.Sample, sample: Sample) -> None:
    message.sample_id = sample.sample_id
    message.reward = sample.reward
    message.prompt = sample.prompt
    message.completion = _utf8(sample.completion)
    message.group_id = sample.group_id
    if sample.metadata:  # a map costs more than all other fields, even to be left empty
        message.metadata.update(sample.metadata)
    _write_reference(sample.reference, message)


def _utf8(text: str) -> str:
    """Return `text` with each lone surrogate replaced; pairs become the character they stand for."""
    if text.isascii():
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def _write_reference(reference: Reference, message: pb.Sample) -> None:
    match reference:
        case MathReference():
            message.math.SetInParent()
            message.math.answer = reference.answer
        case CodeReference():
            code = message.code
            code.SetInParent()
            code.tests.extend(reference.tests)
            code.setup = reference.setup
            code.imports.extend(reference.imports)
            code.entry_point = reference.entry_point
            code.hidden_tests.extend(reference.hidden_tests)
            code.reference_cpu_ms = reference.reference_cpu_ms
        case ChoiceReference():
            choice = message.choice
            choice.SetInParent()
            choice.labels.extend(reference.labels)
            choice.texts.extend(reference.texts)
            choice.correct_label = reference.correct_label
        case BooleanReference():
            message.boolean.SetInParent()
            message.boolean.value = reference.value
        case TextReference():
            message.text.SetInParent()
            message.text.reference = reference.reference
            message.text.source = reference.source


def read_sample(message: pb.Sample) -> Sample:
    """Read one sample, the reverse of `write_sample`.

    Raises:
        ValueError: it has no reference.
    """
    return Sample(
        sample_id=message.sample_id,
        reward=message.reward,
        prompt=message.prompt,
        completion=message.completion,
        reference=_read_reference(message),
        group_id=message.group_id,
        metadata=dict(message.metadata),
    )


def _read_reference(message: pb.Sample) -> Reference:
    match message.WhichOneof("reference"):
        case "math":
            return MathReference(answer=message.math.answer)
        case "code":
            return _read_code(message.code)
        case "choice":
            choice = message.choice
            labels, texts = tuple(choice.labels), tuple(choice.texts)
            return ChoiceReference(labels=labels, texts=texts, correct_label=choice.correct_label)
        case "boolean":
            return BooleanReference(value=message.boolean.value)
        case "text":
            return TextReference(reference=message.text.reference, source=message.text.source)
        case _:
            raise ValueError("reference: there is none of math, code, choice, boolean, text")


def _read_code(code: pb.CodeReference) -> CodeReference:
    return CodeReference(
        tests=tuple(code.tests),
        setup=code.setup,
        imports=tuple(code.imports),
        entry_point=code.entry_point,
        hidden_tests=tuple(code.hidden_tests),
        reference_cpu_ms=code.reference_cpu_ms,
    )


def read_outcome(message: pb.Outcome) -> Outcome:
    """Read one outcome.

    Raises:
        RewardClientError: the outcome has neither score nor failure, or a word unknown here.
    """
    result: Score | Failure
    match message.WhichOneof("result"):
        case "score":
            score = message.score
            components = score.components
            result = Score(
                value=score.value,
                components={name: components[name] for name in components},
                verdict=_word(_VERDICTS, score.verdict),
                explanation=score.explanation,
            )
        case "failure":
            kind = _word(_FAILURES, message.failure.kind)
            result = Failure(kind=kind, message=message.failure.message)
        case _:
            raise RewardClientError(f"the outcome of {message.sample_id!r} is neither score nor failure")
    timing = message.timing
    return Outcome(
        sample_id=message.sample_id,
        result=result,
        reward_version=message.reward_version,
        cached=message.cached,
        queue_ms=timing.queue_ms,
        grade_ms=timing.grade_ms,
    )


def read_reward(message: pb.RewardInfo) -> RewardInfo:
    """Read one row of ListRewards.

    Raises:
        RewardClientError: the cost class is unknown here.
    """
    return RewardInfo(
        name=message.name,
        version=message.version,
        minimum=message.minimum,
        maximum=message.maximum,
        reference=message.reference,
        deterministic=message.deterministic,
        cost_class=_word(_COSTS, message.cost_class),
    )


def _word(words: Mapping[int, str], number: int) -> str:
    """Return the contract's name of an enum value; 0 is "unspecified" in all of them."""
    word = words.get(number)
    if word is None:
        raise RewardClientError(f"the server uses a word unknown to this client: value {number}; update it")
    return word
