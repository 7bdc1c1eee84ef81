"""Case files of rewards: samples as they go over the wire, with what is expected in their metadata.

A line is a `reward.v1.Sample` in protobuf's JSON form. `metadata.why` says what the case is
for; `metadata.verdict` and `metadata.value`, or `metadata.failure`, what must come back.
"""

import json
from pathlib import Path
from typing import NamedTuple

from google.protobuf import json_format
from reward.v1 import reward_pb2 as pb

from reward_client.api import Failure, Outcome, Sample, Score
from reward_client.wire import read_sample


class Surprise(NamedTuple):
    """A case that did not come back as expected."""

    why: str
    expected: str
    got: str


def read_cases(file: Path) -> list[Sample]:
    lines = file.read_text(encoding="utf-8").splitlines()
    rows = [{"sampleId": str(number), **json.loads(line)} for number, line in enumerate(lines, start=1)]
    return [read_sample(json_format.ParseDict(row, pb.Sample())) for row in rows]


def surprises(cases: list[Sample], outcomes: list[Outcome]) -> list[Surprise]:
    found = [
        Surprise(why=case.metadata["why"], expected=_expected(case), got=_got(case, outcome))
        for case, outcome in zip(cases, outcomes, strict=True)
    ]
    return [each for each in found if each.expected != each.got]


def _expected(case: Sample) -> str:
    return case.metadata.get("failure") or " ".join(
        case.metadata[key] for key in ("verdict", "value") if key in case.metadata
    )


def _got(case: Sample, outcome: Outcome) -> str:
    match outcome.result:
        case Failure(kind=kind):
            return kind
        case Score(verdict=verdict, value=value):
            return f"{verdict} {round(value, 6)}" if "value" in case.metadata else verdict
