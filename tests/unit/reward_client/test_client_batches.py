"""Splitting samples into calls and joining the answers, without a server."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reward.v1 import reward_pb2 as pb

from reward_client.api import (
    BooleanReference,
    ChoiceReference,
    CodeReference,
    Failure,
    MathReference,
    Reference,
    RewardClientError,
    RewardRequestError,
    Sample,
    Score,
    TextReference,
)
from reward_client.batches import MAX_CALL_BYTES, MAX_CALL_SAMPLES, in_order, join, split
from reward_client.wire import most_bytes, read_outcome, read_sample, write_sample


def sample(sample_id: str, completion: str = "c", reference: Reference | None = None) -> Sample:
    return Sample(
        sample_id=sample_id,
        reward="math",
        prompt="p",
        completion=completion,
        reference=reference or MathReference(answer="1"),
    )


def sent_by(samples: list[Sample]) -> list[pb.ScoreRequest]:
    """The calls, as a server reads them."""
    batches = split(samples)
    requests = [pb.ScoreRequest.FromString(batch.encode()) for batch in batches]
    assert [[each.sample_id for each in request.samples] for request in requests] == [
        batch.sample_ids for batch in batches
    ]
    return requests


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=200) | st.just("é" * 5_000)
LISTS = st.lists(TEXTS, max_size=5).map(tuple)
REFERENCES: st.SearchStrategy[Reference] = st.one_of(
    st.builds(MathReference, answer=TEXTS),
    st.builds(
        CodeReference,
        tests=LISTS,
        setup=TEXTS,
        imports=LISTS,
        entry_point=TEXTS,
        hidden_tests=LISTS,
        reference_cpu_ms=st.integers(0, 2**31 - 1),
    ),
    st.builds(ChoiceReference, labels=LISTS, texts=LISTS, correct_label=TEXTS),
    st.builds(BooleanReference, value=st.booleans()),
    st.builds(TextReference, reference=TEXTS, source=TEXTS),
)


@given(
    st.builds(
        Sample,
        sample_id=TEXTS,
        reward=TEXTS,
        prompt=TEXTS,
        completion=st.text(st.characters() | st.sampled_from("\ud83d\ude00"), max_size=200),
        reference=REFERENCES,
        group_id=TEXTS,
        metadata=st.dictionaries(TEXTS, TEXTS, max_size=5),
    )
)
def test_a_sample_takes_no_more_bytes_than_are_counted_on(each: Sample) -> None:
    request = pb.ScoreRequest()
    write_sample(each, request.samples.add())

    assert request.ByteSize() <= most_bytes(each) <= request.ByteSize() + 1_000


def test_a_sample_without_a_reference_is_sent_for_the_server_to_say_so() -> None:
    (request,) = sent_by([replace(sample("a"), reference=None)])

    assert request.samples[0].WhichOneof("reference") is None


@pytest.mark.parametrize("field", ["sample_id", "prompt", "group_id", "metadata"])
def test_a_text_that_cannot_be_sent_is_refused_whichever_it_is(field: str) -> None:
    value = {"\ud800": "v"} if field == "metadata" else "\ud800"

    with pytest.raises(RewardRequestError, match="is no UTF-8"):
        split([sample("a"), replace(sample("b"), **{field: value})])


def outcome(sample_id: str) -> pb.Outcome:
    return pb.Outcome(sample_id=sample_id, score=pb.Score(value=1.0, verdict=pb.CORRECT))


@given(st.lists(st.integers(0, 3_000_000), max_size=30))
def test_calls_keep_the_order_and_the_limits(sizes: list[int]) -> None:
    samples = [sample(str(index), "x" * size) for index, size in enumerate(sizes)]

    requests = sent_by(samples)

    sent = [message.sample_id for request in requests for message in request.samples]
    assert sent == [each.sample_id for each in samples]
    assert all(len(request.samples) <= MAX_CALL_SAMPLES for request in requests)
    assert all(
        len(request.samples) == 1 or request.ByteSize() < 1.01 * MAX_CALL_BYTES for request in requests
    )


def test_calls_are_as_few_as_the_count_allows() -> None:
    requests = sent_by([sample(str(n)) for n in range(2 * MAX_CALL_SAMPLES + 1)])

    assert [len(request.samples) for request in requests] == [MAX_CALL_SAMPLES, MAX_CALL_SAMPLES, 1]


def grouped(groups: list[str]) -> list[Sample]:
    return [replace(sample(str(index)), group_id=group) for index, group in enumerate(groups)]


def calls_of(group: str, requests: list[pb.ScoreRequest]) -> int:
    return sum(any(each.group_id == group for each in request.samples) for request in requests)


@given(st.lists(st.sampled_from(["", *(f"g{n}" for n in range(200))]), max_size=1_000))
def test_a_group_is_never_torn_apart(groups: list[str]) -> None:
    samples = grouped(groups)

    requests = sent_by(samples)

    sent = [message.sample_id for request in requests for message in request.samples]
    assert sorted(sent) == sorted(each.sample_id for each in samples)
    for group in set(groups) - {""}:
        assert calls_of(group, requests) == 1 or groups.count(group) > MAX_CALL_SAMPLES
    assert all(len(request.samples) <= MAX_CALL_SAMPLES for request in requests)
    parts = [join([one.sample_id for one in each.samples], answered(each)) for each in requests]
    assert [each.sample_id for each in in_order(samples, parts)] == [each.sample_id for each in samples]


def test_a_group_at_the_edge_of_a_call_moves_to_the_next_one_whole() -> None:
    requests = sent_by(grouped(["a"] * 250 + ["b"] * 8))

    assert [len(request.samples) for request in requests] == [250, 8]


def test_a_group_larger_than_a_call_is_split_like_any_samples() -> None:
    requests = sent_by(grouped(["a"] * 600))

    assert [len(request.samples) for request in requests] == [256, 256, 88]


def answered(request: pb.ScoreRequest) -> pb.ScoreResponse:
    return pb.ScoreResponse(outcomes=[outcome(each.sample_id) for each in request.samples])


def test_nothing_is_sent_for_no_samples() -> None:
    assert split([]) == []


@pytest.mark.parametrize(
    ("samples", "said"),
    [
        ([sample("a"), sample("")], r"samples\[1\]\.sample_id='' is empty"),
        ([sample("a"), sample("b"), sample("a")], r"samples\[2\]\.sample_id='a' is repeated"),
        ([sample("a", reference=MathReference(answer="\ud800"))], "'a' is no UTF-8"),
        ([sample("a", "x" * (65 * 1024 * 1024))], r"samples\[0\] \('a'\) has 68157462 bytes.*64 MiB"),
    ],
    ids=["no id", "repeated id", "surrogate", "too large"],
)
def test_what_no_server_would_take_is_refused_before_it_is_sent(samples: list[Sample], said: str) -> None:
    with pytest.raises(RewardRequestError, match=said):
        split(samples)


@pytest.mark.parametrize(
    ("got", "said"),
    [
        (["a"], "2 samples were sent, 1 outcomes came back"),
        (["a", "b", "c"], "2 samples were sent, 3 outcomes came back"),
        (["b", "a"], r"outcomes\[0\] is for 'b', samples\[0\] was 'a'"),
        (["a", "a"], r"outcomes\[1\] is for 'a', samples\[1\] was 'b'"),
    ],
)
def test_outcomes_that_do_not_match_one_to_one_are_refused(got: list[str], said: str) -> None:
    response = pb.ScoreResponse(outcomes=[outcome(sample_id) for sample_id in got])

    with pytest.raises(RewardClientError, match=said):
        join(["a", "b"], response)


def test_a_failure_stays_a_failure() -> None:
    failure = pb.Failure(kind=pb.SANDBOX, message="no engine")

    read = read_outcome(pb.Outcome(sample_id="a", failure=failure, reward_version="1+2"))

    assert read.result == Failure(kind="SANDBOX", message="no engine")
    assert read.reward_version == "1+2"


def test_a_score_keeps_its_parts() -> None:
    message = pb.Outcome(
        sample_id="a",
        score=pb.Score(value=0.2, components={"format": 1.0}, verdict=pb.INCORRECT, explanation="no"),
        cached=True,
        timing=pb.Timing(queue_ms=1.0, grade_ms=2.0),
    )

    read = read_outcome(message)

    assert read.result == Score(value=0.2, components={"format": 1.0}, verdict="INCORRECT", explanation="no")
    assert (read.cached, read.queue_ms, read.grade_ms) == (True, 1.0, 2.0)


@pytest.mark.parametrize(
    "message",
    [
        pb.Outcome(sample_id="a"),
        pb.Outcome(sample_id="a", score=pb.Score(value=0.0)),
        pb.Outcome(sample_id="a", failure=pb.Failure(message="?")),
        pb.Outcome(sample_id="a", score=pb.Score(verdict=99)),  # type: ignore[arg-type]
    ],
    ids=["neither", "no verdict", "no kind", "verdict of the future"],
)
def test_an_outcome_that_says_nothing_known_is_an_error_not_a_zero(message: pb.Outcome) -> None:
    with pytest.raises(RewardClientError):
        read_outcome(message)


@pytest.mark.parametrize(
    ("reference", "field"),
    [
        (MathReference(answer=""), "math"),
        (
            CodeReference(tests=("assert f(1)",), setup="x = 1", imports=("import re",), entry_point="f"),
            "code",
        ),
        (ChoiceReference(labels=("A", "B"), texts=("a", "b"), correct_label="B"), "choice"),
        (BooleanReference(value=False), "boolean"),
        (TextReference(), "text"),
    ],
)
def test_each_reference_is_sent_in_its_field_even_when_it_is_empty(reference: Reference, field: str) -> None:
    message = write_sample(sample("a", reference=reference))

    assert message.WhichOneof("reference") == field
    assert read_sample(message) == sample("a", reference=reference)
    assert {each.name for each in message.DESCRIPTOR.fields_by_name[field].message_type.fields} == set(
        type(reference).__dataclass_fields__
    )


@pytest.mark.parametrize(
    ("completion", "sent"),
    [
        ("a\ud800b", "a\ufffdb"),
        ("\udc00", "\ufffd"),
        ("\ud83d\ude00", "\U0001f600"),
        ("caf\u00e9 \U0001f600", "caf\u00e9 \U0001f600"),
    ],
    ids=["high", "low", "pair", "clean"],
)
def test_a_completion_that_is_no_utf8_is_sent_with_replacement_characters(completion: str, sent: str) -> None:
    assert write_sample(sample("a", completion=completion)).completion == sent
