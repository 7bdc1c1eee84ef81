"""Every MBPP reference solution passes its own tests, through the reward and the real sandbox."""

import json
from collections.abc import AsyncIterator, Awaitable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from reward_server.api import CodeReference, Grade, Sample
from reward_server.rewards.code import CodeReward
from sandbox.api import Limits
from sandbox.opening import SandboxOptions, open_sandbox

pytestmark = [pytest.mark.docker, pytest.mark.data, pytest.mark.asyncio(loop_scope="session")]

FILES = [
    f"{name}/{split}.jsonl"
    for name in ("mbpp", "mbpp_sanitized")
    for split in ("prompt", "train", "validation", "test")
]
LIMITS = Limits(cpu_seconds=20.0, wall_seconds=120.0)  # task 123 needs 3 to 5 s


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def reward(docker_engine: None) -> AsyncIterator[CodeReward]:
    sandbox = await open_sandbox(SandboxOptions(slots=1))
    try:
        await sandbox.check()
        yield CodeReward(sandbox, limits=LIMITS)
    finally:
        await sandbox.close()


async def _grade(reward: CodeReward, row: dict[str, Any], answer: str) -> Grade:
    reference = CodeReference(
        tests=tuple(row["test_list"]),
        setup=row.get("test_setup_code", ""),
        imports=tuple(row.get("test_imports", ())),
    )
    sample = Sample(sample_id="1", reward="code", prompt="", completion="", reference=reference)
    grade = reward.grade(sample, answer)
    return await grade if isinstance(grade, Awaitable) else grade


@pytest.mark.parametrize("file", FILES)
async def test_every_reference_solution_is_correct(file: str, data_dir: Path, reward: CodeReward) -> None:
    rows = [json.loads(line) for line in (data_dir / file).read_text("utf-8").splitlines()]

    grades = {row["task_id"]: await _grade(reward, row, row["code"]) for row in rows}

    assert {task: grade.explanation for task, grade in grades.items() if grade.value != 1.0} == {}


async def test_no_reference_solution_is_correct_for_the_next_task(data_dir: Path, reward: CodeReward) -> None:
    rows = [
        json.loads(line) for line in (data_dir / "mbpp" / "validation.jsonl").read_text("utf-8").splitlines()
    ]

    grades = {row["task_id"]: await _grade(reward, row, other["code"]) for row, other in pairwise(rows)}

    assert {task: grade.explanation for task, grade in grades.items() if grade.value != 0.0} == {}
