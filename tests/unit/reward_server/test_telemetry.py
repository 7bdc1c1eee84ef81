"""What the log says of a call, and what it keeps to itself."""

import json
from dataclasses import replace

import pytest
import structlog

from reward_server import telemetry
from reward_server.api import Failure, FailureKind, MathReference, Outcome, Sample, Score, Verdict


def sample(**metadata: str) -> Sample:
    return Sample(
        sample_id="1",
        reward="math",
        prompt="p",
        completion="c",
        reference=MathReference(answer="1"),
        metadata=metadata,
    )


def outcome(result: Score | Failure, *, cached: bool = False) -> Outcome:
    return Outcome(
        sample_id="1", result=result, reward_version="1", cached=cached, queue_ms=2.0, grade_ms=4.0
    )


def test_a_tally_counts_verdicts_failures_and_what_was_not_computed() -> None:
    right = Score(value=1.0, components={}, verdict=Verdict.CORRECT, explanation="")
    lost = Failure(kind=FailureKind.SANDBOX, message="")
    tally = telemetry.Tally()
    for each in (outcome(right), outcome(right, cached=True), outcome(lost)):
        tally.add_sample(sample())
        tally.add_outcome("math", each)

    assert tally.fields() == {
        "bytes": 0,
        "samples": 3,
        "rewards": {"math": 3},
        "cached": 1,
        "verdicts": {"CORRECT": 2},
        "failures": {"SANDBOX": 1},
        "queue_ms_max": 2.0,
        "grade_ms": 8.0,
        "metadata": {},
    }


def test_the_name_of_a_reward_that_is_not_here_is_not_kept() -> None:
    lost = Failure(kind=FailureKind.UNKNOWN_REWARD, message="")
    tally = telemetry.Tally()
    for name in ("what the caller wrote", "and wrote again"):
        tally.add_outcome(name, replace(outcome(lost), reward_version=""))

    assert tally.fields()["rewards"] == {"unknown": 2}


def test_only_metadata_that_all_samples_share_is_echoed() -> None:
    tally = telemetry.Tally()
    for step in ("1", "2"):
        tally.add_sample(sample(run="r", step=step))
    assert tally.fields()["metadata"] == {"run": "r"}

    tally.add_sample(sample())
    assert tally.fields()["metadata"] == {}


def test_echoed_metadata_is_bounded() -> None:
    tally = telemetry.Tally()
    tally.add_sample(sample(**{f"k{n}": "v" * 1000 for n in range(100)}))

    metadata = tally.fields()["metadata"]
    assert isinstance(metadata, dict)
    assert len(metadata) == telemetry.MAX_METADATA_PAIRS
    assert {len(value) for value in metadata.values()} == {telemetry.MAX_METADATA_CHARS}


def test_a_defect_is_logged_with_its_place_and_without_its_words(capsys: pytest.CaptureFixture[str]) -> None:
    telemetry.configure("json")
    with pytest.raises(ValueError, match="wrote") as caught:
        int("what the model wrote")
    telemetry.log_defect("math", caught.value)
    structlog.reset_defaults()

    line = json.loads(capsys.readouterr().err)
    assert (line["event"], line["level"], line["reward"]) == ("reward_defect", "error", "math")
    assert line["error"] == "ValueError"
    assert "test_telemetry.py" in line["trace"][-1]
    assert "what the model wrote" not in json.dumps(line)
