"""What the client writes is what the server reads, field by field, though they share no code."""

from dataclasses import asdict

import pytest
from reward.v1 import reward_pb2 as pb

from reward_client import api as client_api
from reward_client.wire import read_outcome, write_sample
from reward_server import wire
from reward_server.api import Failure, FailureKind, Outcome, Score, Verdict

REFERENCES = [
    client_api.MathReference(answer="#### 42"),
    client_api.CodeReference(
        tests=("assert f(1) == 2", "assert f(2) == 3"),
        setup="x = 1",
        imports=("import math",),
        entry_point="f",
        hidden_tests=("assert f(3) == 4",),
        reference_cpu_ms=1.5,
    ),
    client_api.ChoiceReference(labels=("A", "B"), texts=("iron", "gold"), correct_label="B"),
    client_api.BooleanReference(value=True),
    client_api.TextReference(reference="short", source="long"),
]


@pytest.mark.parametrize("reference", REFERENCES, ids=lambda reference: type(reference).__name__)
def test_a_sample_arrives_as_it_was_sent(reference: client_api.Reference) -> None:
    sent = client_api.Sample(
        sample_id="s",
        reward="math",
        prompt="p",
        completion="c \N{SNOWMAN}",
        reference=reference,
        group_id="g",
        metadata={"step": "1"},
    )

    read = wire.read_sample(pb.Sample.FromString(write_sample(sent).SerializeToString()))

    assert type(read.reference).__name__ == type(reference).__name__
    assert asdict(read) == asdict(sent)
    defaults = [value for value in asdict(reference).values() if value in ("", (), 0.0)]
    assert defaults == [], "a field left at its default could be lost without anyone noticing"


@pytest.mark.parametrize("verdict", list(Verdict))
def test_every_verdict_arrives_by_its_name(verdict: Verdict) -> None:
    score = Score(value=0.5, components={"format": 1.0}, verdict=verdict, explanation="so")
    message = pb.Outcome()
    wire.write_outcome(Outcome(sample_id="s", result=score, reward_version="1+a"), message)

    read = read_outcome(message).result

    assert read == client_api.Score(
        value=0.5, components={"format": 1.0}, verdict=verdict.value, explanation="so"
    )


@pytest.mark.parametrize("kind", list(FailureKind))
def test_every_failure_arrives_by_its_name(kind: FailureKind) -> None:
    message = pb.Outcome()
    failure = Failure(kind=kind, message="why")
    wire.write_outcome(Outcome(sample_id="s", result=failure, reward_version="1+a"), message)

    assert read_outcome(message).result == client_api.Failure(kind=kind.value, message="why")


def test_the_server_knows_every_word_of_the_contract() -> None:
    assert {each.value for each in Verdict} == set(pb.Verdict.keys()) - {"VERDICT_UNSPECIFIED"}
    assert {each.value for each in FailureKind} == set(pb.FailureKind.keys()) - {"FAILURE_KIND_UNSPECIFIED"}
    oneof = pb.Sample.DESCRIPTOR.oneofs_by_name["reference"]
    assert {each.name for each in oneof.fields} == set(wire.REFERENCES)
