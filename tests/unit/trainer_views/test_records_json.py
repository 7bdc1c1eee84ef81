"""One JSON form for steps and summaries, that survives a round trip and names what is wrong."""

import dataclasses
import json
import math

import pytest

from tests.unit.trainer_views.synthetic_runs import step_records, summary
from trainer.run_files.records import RecordError, step_from_json, summary_from_json, to_json


def test_a_step_survives_a_round_trip_as_one_line() -> None:
    record = step_records(9)[-1]

    line = to_json(record)

    assert "\n" not in line
    assert step_from_json(line) == record


def test_a_summary_survives_a_round_trip_with_its_intervals() -> None:
    found = summary_from_json(to_json(summary()))

    assert found == summary()
    assert found.after["math"].reward_interval.high == summary().after["math"].reward_interval.high


def test_a_number_that_is_not_finite_is_null_on_file_and_nan_in_memory() -> None:
    line = to_json(dataclasses.replace(step_records(1)[0], kl=math.inf))

    assert json.loads(line)["kl"] is None
    assert math.isnan(step_from_json(line).kl)


def test_a_file_with_other_fields_is_refused_by_name() -> None:
    raw = json.loads(to_json(step_records(1)[0]))
    raw["rewards"] = raw.pop("reward")

    with pytest.raises(RecordError, match=r"missing fields \['reward'\], unknown fields \['rewards'\]"):
        step_from_json(json.dumps(raw))


@pytest.mark.parametrize("text", ["", '{"step": 1', "[]", "3"])
def test_a_torn_or_foreign_line_is_a_record_error(text: str) -> None:
    with pytest.raises(RecordError):
        step_from_json(text)
