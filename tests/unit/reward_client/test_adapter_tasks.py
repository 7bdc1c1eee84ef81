"""The two forms in which a row's one field names its reward and reference."""

import json
from pathlib import Path
from typing import Any

import pytest
from google.protobuf import json_format
from reward.v1 import reward_pb2 as pb

from reward_client.adapters.task import Task, read_task
from reward_client.api import RewardRequestError
from reward_client.wire import read_sample

FILE = Path(__file__).parents[2] / "cases" / "adapter_tasks.jsonl"
CASES = [json.loads(line) for line in FILE.read_text(encoding="utf-8").splitlines()]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["why"])
def test_a_row_is_read_or_refused_with_the_reason(case: dict[str, Any]) -> None:
    if "error" in case:
        with pytest.raises(RewardRequestError, match=case["error"]):
            read_task(case["value"], reward=case.get("reward"))
        return
    sample = read_sample(json_format.ParseDict(case["task"], pb.Sample()))

    task = read_task(case["value"], reward=case.get("reward"))

    assert task == Task(reward=sample.reward, reference=sample.reference)
