"""Every MBPP reference solution passes its own tests, through the reward and the real sandbox.

Under two hash seeds, so that none is right by the order of one only.
"""

import json
from collections.abc import AsyncIterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from reward_server.api import CodeReference
from sandbox.api import Limits
from sandbox.options import SandboxOptions
from tasks.adapters.mbpp import SLOW_REFERENCES_MS
from tests.integration.code_reward_grader import Grader, open_grader

pytestmark = [pytest.mark.docker, pytest.mark.data, pytest.mark.asyncio(loop_scope="session")]

FILES = [
    f"{name}/{split}.jsonl"
    for name in ("mbpp", "mbpp_sanitized")
    for split in ("prompt", "train", "validation", "test")
]
HASH_SEEDS = (0, 1)


@pytest_asyncio.fixture(scope="module", loop_scope="session", params=HASH_SEEDS)
async def grade(docker_engine: None, request: pytest.FixtureRequest) -> AsyncIterator[Grader]:
    async with open_grader(Limits(), SandboxOptions(hash_seed=request.param)) as grader:
        yield grader


def _rows(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text("utf-8").splitlines()]


def _reference(row: dict[str, Any]) -> CodeReference:
    return CodeReference(
        tests=tuple(row["test_list"]),
        setup=row.get("test_setup_code", ""),
        imports=tuple(row.get("test_imports", ())),
        reference_cpu_ms=SLOW_REFERENCES_MS.get(str(row["task_id"]), 0.0),
    )


@pytest.mark.parametrize("file", FILES)
async def test_every_reference_solution_is_correct(file: str, data_dir: Path, grade: Grader) -> None:
    rows = _rows(data_dir / file)

    grades = {row["task_id"]: await grade(row["code"], _reference(row)) for row in rows}

    assert {task: found.explanation for task, found in grades.items() if found.value != 1.0} == {}


async def test_no_reference_solution_is_correct_for_the_task_before(data_dir: Path, grade: Grader) -> None:
    rows = _rows(data_dir / "mbpp" / "validation.jsonl")

    grades = {row["task_id"]: await grade(other["code"], _reference(row)) for row, other in pairwise(rows)}

    assert {task: found.explanation for task, found in grades.items() if found.value != 0.0} == {}
